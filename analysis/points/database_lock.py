"""A lock on an MLflow database in a file: who makes or upgrades it does so before anybody else looks."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator

from analysis.points.tracking_uri import sqlite_path

_LONGEST_WAIT_S = 120.0
_PAUSE_S = 0.05


@contextlib.contextmanager
def opening(tracking_uri: str) -> Iterator[None]:
    """Hold the database of ``tracking_uri`` while it is opened, which makes its tables where they are missing.

    MLflow does not guard this: two processes that open a new file at once leave it half made. A server or another
    database takes care of itself. The lock is a file beside the database; a kill releases it.

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
        yield
