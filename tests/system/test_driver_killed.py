"""After a driver's kill -9 nothing that it started is left: no server or agent of Ray's, no worker, no tracker."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.console import PROGRAM, clean_environment
from tests.processes import below, is_alive, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

COMMAND = ("sweep", "--method", "epr", "--task", "digits", "--architecture", "mlp", "--set", "steps=1000000")
WANTED = ("raylet", "gcs_server", "ray::DashboardAgent", "ray::RuntimeEnvAgent", "ray::TrackerActor", "watcher.py")


def titles(pids: list[int]) -> str:
    """The command lines of those that are alive."""
    return " | ".join(
        Path(f"/proc/{pid}/cmdline").read_bytes()[:300].replace(b"\0", b" ").decode() for pid in pids if is_alive(pid)
    )


@pytest.mark.parametrize("when", ["while Ray starts", "while trials train"])
def test_nothing_is_alive_ten_seconds_after_a_driver_was_killed(when: str, tmp_path: Path) -> None:
    driver = subprocess.Popen(
        [PROGRAM, *COMMAND],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if when == "while trials train":
            assert wait_until(lambda: len(list(tmp_path.glob("sweeps/*/trials/*/progress.jsonl"))) > 1, at_most_s=300)
            pids = list(below(driver.pid))
            assert [name for name in WANTED if name not in titles(pids)] == [], titles(pids)
        else:
            assert wait_until(lambda: "raylet" in titles(list(below(driver.pid))), at_most_s=300)
            pids = list(below(driver.pid))
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    is_quiet = wait_until(lambda: not any(map(is_alive, pids)), at_most_s=10)
    left = titles(pids)
    for pid in filter(is_alive, pids):
        os.kill(pid, signal.SIGKILL)
    assert is_quiet, left
