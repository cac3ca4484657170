"""Ends what is left of the Ray that a driver started, once that driver has died without a word.

A process of its own, of the standard library alone: ``python -I -S watcher.py PID BEGAN``. The driver starts it before
Ray, and holds the other end of its standard input. Most of Ray's processes end with the driver, but its agents may stay
for minutes, and a worker until its training lets it.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

BEGAN = "%Y-%m-%d_%H-%M-%S_%f"
"""How Ray writes the local time in the name of a session's folder, ``session_<time>_<pid of the driver>``."""

_LOOK_EACH_S, _BETWEEN_S = 2.0, 1.5
_SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGKILL)


def watch(driver: int, began: str) -> None:
    """Wait until the driver says that it ends Ray itself, or is gone; then end what it left.

    Args:
        driver: pid of the driver, the parent of this process.
        began: when it began to start Ray, as ``BEGAN``.
    """
    while True:
        said, _, _ = select.select([sys.stdin], [], [], _LOOK_EACH_S)
        if said and os.read(sys.stdin.fileno(), 64):
            return
        if said or os.getppid() != driver:  # a process forked from the driver may hold its end of the pipe
            break
    end_left(driver, began)


def end_left(driver: int, began: str) -> None:
    """Ask the processes of a dead driver's Ray to end, and then kill them.

    Each is looked for anew before each signal, so that another process with its pid gets none.
    """
    for which in _SIGNALS:
        for pid in left(driver, began):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)
        time.sleep(_BETWEEN_S)


def left(driver: int, began: str) -> Iterator[int]:
    """The pids of the processes of this user that write into the logs of a Ray session which the driver began then."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended, or is another user's
            started = _started(folder)
            if _writes_logs(folder, driver, began) and _started(folder) == started:
                yield int(folder.name)


def _started(folder: Path) -> str:
    """When a process started: with its pid, what tells it from any other."""
    text = (folder / "stat").read_text()
    return text[text.rindex(")") + 2 :].split()[19]


def _writes_logs(folder: Path, driver: int, began: str) -> bool:
    for file in (folder / "fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed
            found = re.search(r"/session_([\d_-]+)_(\d+)/logs/", os.readlink(file))
            is_written = file.lstat().st_mode & stat.S_IWUSR
            # a pid may have been another driver's before
            if found is not None and is_written and int(found[2]) == driver and found[1] >= began:
                return True
    return False


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2])
