"""MLflow's server on this machine: found where it runs, and never mistaken for something else."""

from __future__ import annotations

import http.server
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.tracking.ui import server


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port, and what was asked of it: it knows the runs whose ids begin with ``known``."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if "run_id=known" in self.path else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield listening.server_port, asked
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_server_of_the_same_store_is_used(listener: tuple[int, list[str]]) -> None:
    port, asked = listener
    assert server.is_serving(port, "known1")
    assert asked == ["/api/2.0/mlflow/runs/get?run_id=known1"]


def test_where_nothing_listens_there_is_no_server(listener: tuple[int, list[str]]) -> None:
    assert not server.is_serving(1, "known1")


@pytest.mark.parametrize("run_id", ["other", ""])
def test_a_port_that_something_else_has_is_refused(run_id: str, listener: tuple[int, list[str]]) -> None:
    with pytest.raises(ValueError, match=f"give another such as --port {listener[0] + 1}"):
        server.is_serving(listener[0], run_id)


class Process:
    """A server's process, which the test ends."""

    pid, returncode = 1, 3

    def __init__(self, code: int | None) -> None:
        self._code = code
        self.was_terminated = False

    def poll(self) -> int | None:
        return self._code

    def terminate(self) -> None:
        self.was_terminated = True

    def wait(self, timeout: float | None = None) -> int:
        return 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How servers are started; none is."""
    calls: list[dict[str, Any]] = []

    def popen(command: list[str], **settings: Any) -> Process:
        process = Process(None)
        calls.append({"command": command, "process": process, **settings})
        return process

    monkeypatch.setattr("subprocess.Popen", popen)
    return calls


def test_a_server_gets_the_stores_address_where_nobody_sees_its_password(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_answers", lambda url: True)
    before = signal.getsignal(signal.SIGTERM)
    with server.served("postgresql://me:secret@db/m", 5001):
        (call,) = started
        assert call["env"]["MLFLOW_BACKEND_STORE_URI"] == "postgresql://me:secret@db/m"
        assert not any("secret" in word for word in call["command"])
        assert call["command"][call["command"].index("--port") + 1] == "5001"
    assert call["process"].was_terminated
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_server_that_does_not_come_up_is_said(started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_answers", lambda url: False)
    monkeypatch.setattr(Process, "poll", lambda process: 3)
    with (
        pytest.raises(ValueError, match="MLflow's server ended with exit code 3 before it answered"),
        server.served("x", 5001),
    ):
        pass
    assert started[0]["process"].was_terminated
