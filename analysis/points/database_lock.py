"""A lock on an MLflow database in a file: who makes or upgrades it does so before anybody else looks.

Where that fails, as on a full disk, no half of a database is left, and the error names the file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from analysis.points.tracking_uri import sqlite_path
from trainers.full_disk import why_full

_LONGEST_WAIT_S = 120.0
_PAUSE_S = 0.05


@contextlib.contextmanager
def opening(tracking_uri: str) -> Iterator[None]:
    """Hold the database of ``tracking_uri`` while it is opened, which makes its tables where they are missing.

    MLflow does not guard this: two processes that open a new file at once leave it half made. A server or another
    database takes care of itself. The lock is a file beside the database; a kill releases it. What the block began to
    make is removed where it fails: MLflow would refuse the half of a database for ever.

    Raises:
        ConnectionError: another process has been opening the database for two minutes.
    """
    database = sqlite_path(tracking_uri)
    if database is None or not database.parent.is_dir():
        yield
        return
    with database.with_name(f".{database.name}.lock").open("w") as lock:
        waited_until_s = time.monotonic() + _LONGEST_WAIT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > waited_until_s:
                    raise ConnectionError(
                        f"another process has been opening {database} for {_LONGEST_WAIT_S:.0f} s: end it, or wait"
                    ) from None
                time.sleep(_PAUSE_S)
        is_new = not database.exists() or not database.stat().st_size
        try:
            yield
        except BaseException:
            if is_new:
                _remove(database)
            raise


@contextlib.contextmanager
def naming_a_full_disk(tracking_uri: str) -> Iterator[None]:
    """Let the error of a full disk name the database of ``tracking_uri``: SQLite's and MLflow's do not.

    Raises:
        OSError: the disk is full.
    """
    try:
        yield
    except Exception as error:
        if not why_full(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(sqlite_path(tracking_uri) or "")) from error


def _remove(database: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
