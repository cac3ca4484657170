"""Starts and kills MLflow's server for tests, and waits for it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.console import clean_environment


def free_port() -> int:
    """A free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run MLflow on loopback as one process group, which is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        cwd=folder,
        env={**clean_environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: answers(port))
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=600)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def wait_for(condition: Callable[[], object], seconds: float = 600, *, is_brief: bool = False) -> None:
    """Wait until ``condition``; the limit is for hangs, on a busy machine.

    A look that takes long, such as a command, is taken less often, because it slows down what is waited for.

    Args:
        is_brief: the condition may be over soon, so that it is looked at as often as can be.
    """
    deadline = time.monotonic() + seconds
    looked_s = time.monotonic()
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.2 if is_brief else max(0.2, 2 * (time.monotonic() - looked_s)))
        looked_s = time.monotonic()
