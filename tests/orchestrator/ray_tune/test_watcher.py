"""A driver that is killed leaves no process of its Ray, and no other process is touched. Sleepers stand for Ray's."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.ray_tune import watcher
from tests.processes import is_alive, wait_until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")

DRIVER = f"""
import os, subprocess, sys, time
command = [sys.executable, "-I", "-S", {watcher.__file__!r}, str(os.getpid()), sys.argv[1]]
watching = subprocess.Popen(command, stdin=subprocess.PIPE)
if sys.argv[2] == "forks" and os.fork() == 0:
    os.close(1)  # whoever reads what the driver says need not wait for this
    time.sleep(30)  # it holds the pipe to the watcher as well
    os._exit(0)
print(watching.pid, flush=True)
sys.stdin.readline()
watching.communicate(b"ended")
time.sleep(60)
"""
SLEEPER = "import signal, time; {first}; print('ready', flush=True); time.sleep(60)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def written(moment: datetime) -> str:
    return moment.strftime(watcher.BEGAN)


@contextlib.contextmanager
def started(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of the test's own, and the first line that it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def sleeping(log: Path, *, first: str = "pass", mode: str = "a") -> Iterator[int]:
    """The pid of a process that has the file ``log`` open."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    with started(SLEEPER.format(first=f"kept = open({str(log)!r}, {mode!r}); {first}")) as (process, _):
        yield process.pid


@pytest.mark.parametrize("how", ["waits", "forks"])
def test_what_a_killed_driver_left_is_ended_and_nothing_else(how: str, tmp_path: Path) -> None:
    now = datetime.now()
    with contextlib.ExitStack() as stack:
        driver, said = stack.enter_context(started(DRIVER, written(now), how))
        own = tmp_path / f"session_{written(now + timedelta(seconds=1))}_{driver.pid}" / "logs" / "worker.out"
        earlier = tmp_path / f"session_{written(now - timedelta(days=1))}_{driver.pid}" / "logs" / "worker.out"
        others = tmp_path / f"session_{written(now + timedelta(seconds=1))}_{driver.pid}1" / "logs" / "worker.out"
        ours = [stack.enter_context(sleeping(own)), stack.enter_context(sleeping(own, first=STUBBORN))]
        reader = stack.enter_context(sleeping(own, mode="r"))
        strangers = [reader, stack.enter_context(sleeping(earlier)), stack.enter_context(sleeping(others))]
        time.sleep(0.2)
        assert all(map(is_alive, [*ours, *strangers]))
        driver.send_signal(signal.SIGKILL)
        assert wait_until(lambda: not any(map(is_alive, ours)), at_most_s=10)
        assert wait_until(lambda: not is_alive(int(said)), at_most_s=10), "it outlives what it watches by little"
        assert all(map(is_alive, strangers))


def test_a_driver_that_ends_ray_itself_is_taken_at_its_word(tmp_path: Path) -> None:
    now = datetime.now()
    with started(DRIVER, written(now), "waits") as (driver, said):
        log = tmp_path / f"session_{written(now)}_{driver.pid}" / "logs" / "worker.out"
        with sleeping(log) as pid:
            assert driver.stdin is not None
            driver.stdin.write("\n")
            driver.stdin.flush()
            assert wait_until(lambda: not is_alive(int(said)), at_most_s=10)
            assert is_alive(pid)
