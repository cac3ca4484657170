"""Finds MLflow's server on this machine, or starts one, for the UI of a store."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

_HOST = "127.0.0.1"
_START_S, _ANSWER_S = 180.0, 5.0
_LEAVE_S = 20.0
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # it is another process, for what sweeps do not use
    "PYTHONWARNINGS": "ignore",
}
_QUIET = ("--uvicorn-opts", "--log-level warning")  # without this it prints a line for each request


def address(port: int) -> str:
    """The address of a server on this machine."""
    return f"http://{_HOST}:{port}"


def is_serving(port: int, run_id: str) -> bool:
    """Whether a server on ``port`` serves the store that has this run; False where nothing listens there.

    Raises:
        ValueError: the port is taken by something else.
    """
    try:
        socket.create_connection((_HOST, port), _ANSWER_S).close()
    except OSError:
        return False
    if run_id and _answers(f"{address(port)}/api/2.0/mlflow/runs/get?run_id={quote(run_id, safe='')}"):
        return True
    raise ValueError(
        f"port {port} is taken by something else than MLflow's server of this store: "
        f"end that, or give another such as --port {port + 1}"
    )


@contextlib.contextmanager
def served(tracking_uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server and wait until it answers; it ends with the block, or on SIGTERM.

    Raises:
        ValueError: MLflow's program is not installed, or the server did not come up.
    """
    program = shutil.which(
        "mlflow", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    if program is None:
        raise ValueError("the program mlflow is not installed beside this Python: reinstall ratefront")
    before = signal.signal(signal.SIGTERM, _interrupt)
    process = subprocess.Popen(
        [program, "server", "--host", _HOST, "--port", str(port), "--workers", "1", *_QUIET],
        # the address is no argument: everybody on this machine could read a password in it
        env={**_ENVIRONMENT, **os.environ, "MLFLOW_BACKEND_STORE_URI": tracking_uri},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait(process, port)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=_LEAVE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_S
    while not _answers(f"{address(port)}/health"):
        if process.poll() is not None:
            raise ValueError(f"MLflow's server ended with exit code {process.returncode} before it answered")
        if time.monotonic() > deadline:
            raise ValueError(f"MLflow's server did not answer on port {port} within {_START_S:.0f} s")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_S) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):  # nothing is there, or it refuses, or it speaks something else
        return False
