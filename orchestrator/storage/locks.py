"""Locks a sweep's folder on a disk: one process holds the sweep, or several share it."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from orchestrator.errors import SweepError


@contextlib.contextmanager
def sharing(directory: Path) -> Iterator[None]:
    """Share the sweep with other processes; meanwhile nobody can hold it alone."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a+") as lock:  # NFS shares only what may be read
        _lock(lock, fcntl.LOCK_SH, directory)
        yield


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold the sweep alone, so that no second process runs it at the same time. A kill releases it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        _lock(lock, fcntl.LOCK_EX, directory)
        try:
            yield
        finally:
            if [path.name for path in directory.iterdir()] == ["lock"]:  # it never began
                (directory / "lock").unlink()
                directory.rmdir()


def _lock(lock: TextIO, kind: int, directory: Path) -> None:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SweepError(f"sweep {directory.name} is being run by another process") from error
    except OSError as error:
        raise SweepError(f"cannot lock {directory}: {error.strerror}; its disk must be mounted with locks") from error
