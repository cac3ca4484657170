"""One process holds a sweep in an object store: there are no locks there, so it says again and again that it does."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import SweepError
from orchestrator.storage.bucket import Bucket

_RENEWED_EVERY_S = 10.0
_DEAD_AFTER_S = 45.0
"""After that long without a word the holder counts as dead; who waits for it goes by a clock of its own alone."""
_POLL_S = 1.0
_SETTLED_AFTER_S = 1.0
"""Two that take a free sweep at once have both written by then: the later one has it."""
_NAME = "lock"
_UNKNOWN = {"holder": "", "host": "an unknown machine", "pid": "?"}


class Lease:
    """A sweep that this process holds."""

    def __init__(self) -> None:
        self.lost = False
        """Whether another process took it, since this one stood still for too long."""


@contextlib.contextmanager
def leased(folder: Bucket) -> Iterator[Lease]:
    """Hold the sweep in ``folder``; a kill releases it after 45 s, on the same machine at once.

    A process that lost it is interrupted as by Ctrl-C.

    Raises:
        SweepError: another process holds it.
    """
    mine = {"holder": uuid.uuid4().hex, "pid": os.getpid(), **_here()}
    _wait_until_free(folder, mine)
    _say(folder, mine, 0)
    time.sleep(_SETTLED_AFTER_S)
    holder = _holder(folder)
    if holder is not None and holder["holder"] != mine["holder"]:
        raise _taken(folder, holder)
    lease, over = Lease(), threading.Event()
    renewing = threading.Thread(target=_renew, args=(folder, mine, lease, over), daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        over.set()
        renewing.join()
        with contextlib.suppress(OSError):  # it ends by itself
            if (holder := _holder(folder)) is not None and holder["holder"] == mine["holder"]:
                folder.delete(_NAME)


def _wait_until_free(folder: Bucket, mine: dict[str, object]) -> None:
    """Free is what nobody holds, or a holder that is known to be dead, or says nothing for long enough."""
    before, since_s = _holder(folder), time.monotonic()
    while before is not None and not _is_dead(before, mine) and time.monotonic() - since_s < _DEAD_AFTER_S:
        time.sleep(_POLL_S)
        now = _holder(folder)
        if now is not None and now != before:
            raise _taken(folder, now)
        before = now


def _taken(folder: Bucket, holder: dict[str, object]) -> SweepError:
    return SweepError(f"sweep {folder.uri} is being run by process {holder['pid']} on {holder['host']}")


def _renew(folder: Bucket, mine: dict[str, object], lease: Lease, over: threading.Event) -> None:
    for number in itertools.count(1):
        if over.wait(_RENEWED_EVERY_S):
            return
        with contextlib.suppress(OSError):  # the next time perhaps
            holder = _holder(folder)
            if holder is not None and holder["holder"] != mine["holder"]:
                lease.lost = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return
            _say(folder, mine, number)


def _is_dead(holder: dict[str, object], mine: dict[str, object]) -> bool:
    """Whether it is known to be: it ran here and runs no more."""
    if any(holder.get(key) != mine[key] for key in _here()):
        return False
    try:
        os.kill(int(str(holder["pid"])), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _here() -> dict[str, object]:
    """What processes have in common that see each other by their numbers: names of machines are not enough."""
    here: dict[str, object] = {"host": socket.gethostname()}
    with contextlib.suppress(OSError):  # Linux
        here["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        here["numbers"] = str(Path("/proc/self/ns/pid").readlink())
    return here


def _holder(folder: Bucket) -> dict[str, object] | None:
    content = folder.read(_NAME)
    if content is None:
        return None
    try:
        return {**_UNKNOWN, **json.loads(content)}
    except (ValueError, TypeError):
        return dict(_UNKNOWN)


def _say(folder: Bucket, mine: dict[str, object], number: int) -> None:
    """``number`` tells one word from the next."""
    folder.write(_NAME, json.dumps({**mine, "number": number}).encode())
