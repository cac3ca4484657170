"""What a web service is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from orchestrator.webhook import check_webhook, post


@pytest.fixture
def service() -> Iterator[tuple[str, list[Any]]]:
    """Its address, and what it was sent; it refuses what is sent to /no."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(403 if self.path == "/no" else 200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_result_arrives_with_a_text_for_people(service: tuple[str, list[Any]]) -> None:
    address, received = service
    assert post(address, "done", {"num_trials": 3}) == ""
    assert received == [{"text": "done", "num_trials": 3}]


def test_what_did_not_arrive_is_said_in_one_line(service: tuple[str, list[Any]]) -> None:
    address, _ = service
    assert post(f"{address}/no", "done", {}) == "HTTP Error 403: Forbidden"
    assert "refused" in post("http://127.0.0.1:1/", "done", {})


@pytest.mark.parametrize(
    "url", ["ftp://host", "host/path", "", "http://localhost:port/x", "http://exa mple/", "http:///x"]
)
def test_another_kind_of_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="wanted an address such as https://host/path"):
        check_webhook(url)
