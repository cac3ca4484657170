"""One process holds a sweep in an object store: there are no locks there, so it says again and again that it does."""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from orchestrator.remote import RemoteFolder
from orchestrator.sweep import SweepError

LEASE_S = 60.0
"""After that long without a word the holder counts as dead. Clocks must agree to some seconds."""
_RENEWED_EVERY_S = 15.0
_SETTLED_AFTER_S = 1.0
"""Two that take a free sweep at once have both written by then: the later one has it."""
_NAME = "lock"


@contextlib.contextmanager
def leased(folder: RemoteFolder) -> Iterator[None]:
    """Hold the sweep in ``folder``; a kill releases it after ``LEASE_S``, on the same machine at once.

    A process that lost it, since it stood still for too long, is interrupted as by Ctrl-C.

    Raises:
        SweepError: another process holds it.
    """
    mine = {"holder": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}
    _check_free(folder, mine)
    _say(folder, mine)
    time.sleep(_SETTLED_AFTER_S)
    _check_free(folder, mine)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(folder, mine, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with contextlib.suppress(OSError):  # it ends by itself
            if _holder(folder) == mine:
                folder.delete(_NAME)


def _renew(folder: RemoteFolder, mine: dict[str, object], over: threading.Event) -> None:
    while not over.wait(_RENEWED_EVERY_S):
        with contextlib.suppress(OSError):  # the next time perhaps
            if _holder(folder) not in (mine, None):
                _thread.interrupt_main()
                return
            _say(folder, mine)


def _check_free(folder: RemoteFolder, mine: dict[str, object]) -> None:
    holder, stamp = _holder(folder), folder.stamp(_NAME)
    if holder in (mine, None) or stamp is None or _is_dead(holder, mine):
        return
    age_s = time.time() - stamp.mtime_ns / 1e9
    if age_s < LEASE_S:
        raise SweepError(
            f"sweep {folder.uri} is being run by process {holder['pid']} on {holder['host']}, which said so "
            f"{max(age_s, 0):.0f} s ago: if it is dead, try again in {LEASE_S - age_s:.0f} s"
        )


def _is_dead(holder: dict[str, object], mine: dict[str, object]) -> bool:
    """Whether it is known to be: it was on this machine."""
    if holder["host"] != mine["host"]:
        return False
    try:
        os.kill(int(str(holder["pid"])), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _holder(folder: RemoteFolder) -> dict[str, object] | None:
    content = folder.read(_NAME)
    return dict(json.loads(content)) if content else None


def _say(folder: RemoteFolder, mine: dict[str, object]) -> None:
    folder.write(_NAME, json.dumps(mine).encode())
