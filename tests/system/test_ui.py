"""``ratefront ui`` serves MLflow on this machine and says where each sweep is."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from tests.console import PROGRAM, Finished, call, clean_environment

pytestmark = pytest.mark.system


def test_ui_serves_the_store_and_prints_a_link_to_the_sweep(finished: Finished) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [PROGRAM, "ui", "--port", str(port), "--no-open"],
        cwd=finished.folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline().startswith("tiny-")
        assert f"http://127.0.0.1:{port}/#/experiments/" in process.stdout.readline()
        assert _answers(f"http://127.0.0.1:{port}/health", process)
        again = call(finished.folder, "ui", "tiny", "--port", str(port), "--no-open")
        assert again.returncode == 0  # it is the same store's
        assert again.stdout.count(f"http://127.0.0.1:{port}/#/experiments/") == 4
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=600)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)), "the server outlives the command"


def _answers(url: str, process: subprocess.Popen[str]) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            time.sleep(0.5)
    return False
