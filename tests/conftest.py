"""Fixtures that several folders use."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import bucket
from tests.console import SWEEP, Finished, call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(SWEEP))
    return Finished(folder, call(folder, "sweep", "tiny.yaml"))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database that MLflow makes where there is none, made once: its migrations take seconds."""
    from mlflow import MlflowClient  # most tests need no MLflow

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path.read_bytes()


@pytest.fixture
def workplace(tmp_path: Path, empty_store: bytes) -> Path:
    """A working directory in which MLflow's database is there already, as after an earlier sweep."""
    (tmp_path / "mlflow.db").write_bytes(empty_store)
    return tmp_path


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """Serve a bucket and set the environment in which its clients find it; yields that environment."""
    with bucket.serving() as environment, pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, value)
        yield environment


@pytest.fixture
def service() -> Iterator[tuple[str, list[Any]]]:
    """The address of a web service on loopback, and a list of what it was sent; it refuses what is sent to /no."""
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
