"""A proxy on loopback that carries requests out and loses replies, as a network does."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Lossy:
    """What the proxy has lost so far."""

    def __init__(self, share: float) -> None:
        self._share, self._dice, self._lock = share, random.Random(0), threading.Lock()
        self.port = 0
        self.lost: Counter[str] = Counter()
        """Replies by the end of the request's path, such as ``runs/create``."""

    @property
    def num_lost(self) -> int:
        return sum(self.lost.values())

    def loses(self, path: str) -> bool:
        """Whether the reply to this POST is lost: the first of each path, then by chance."""
        name = "/".join(path.split("?")[0].split("/")[-2:])
        with self._lock:
            is_lost = name not in self.lost or self._dice.random() < self._share
            if is_lost:
                self.lost[name] += 1
        return is_lost


@contextlib.contextmanager
def lossy(upstream: int, *, share: float = 0.35) -> Iterator[Lossy]:
    """Serve what the server on the port ``upstream`` serves, and lose a share of the replies to POSTs.

    Where nothing listens there, connections end without a reply.
    """
    found = Lossy(share)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=120)
            try:
                connection.request(self.command, self.path, body, dict(self.headers.items()))
                reply = connection.getresponse()
                content = reply.read()
            except (OSError, http.client.HTTPException):
                self.close_connection = True
                return
            finally:
                connection.close()
            if self.command == "POST" and found.loses(self.path):
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    found.port = proxy.server_port
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
