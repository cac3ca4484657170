"""Says who holds a sweep in an object store, which has no locks: the holder writes its name again and again."""

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
"""A holder that has not renewed its lease for so long counts as dead; whoever waits measures that by its own clock."""
_POLL_S = 1.0
_SETTLED_AFTER_S = 1.0
"""Two processes that take a free sweep at once have both written by then: the one that wrote last holds it."""
_NAME = "lock"
_UNKNOWN = {"holder": "", "host": "an unknown machine", "pid": "?"}


class Lease:
    """Says whether this process still holds a sweep."""

    def __init__(self) -> None:
        self.lost = False
        """Whether another process took the sweep, because this one stood still for too long."""


@contextlib.contextmanager
def leased(bucket: Bucket) -> Iterator[Lease]:
    """Hold the sweep in ``bucket``. A kill releases it after 45 s, on the same machine at once.

    A process that loses the sweep is interrupted as by Ctrl-C. Where it ignores that, as the background job of a script
    does from its start, SIGTERM interrupts it: whoever holds a sweep has ``running.interrupts.sigterm_as_ctrl_c``.

    Raises:
        SweepError: another process holds it.
    """
    mine = {"holder": uuid.uuid4().hex, "pid": os.getpid(), **_here()}
    _wait_until_free(bucket, mine)
    _claim(bucket, mine, 0)
    time.sleep(_SETTLED_AFTER_S)
    holder = _holder(bucket)
    if holder is not None and holder["holder"] != mine["holder"]:
        raise _taken(bucket, holder)
    lease, over = Lease(), threading.Event()
    renewing = threading.Thread(target=_renew, args=(bucket, mine, lease, over), daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        over.set()
        renewing.join()
        with contextlib.suppress(OSError):  # the lease runs out by itself
            if (holder := _holder(bucket)) is not None and holder["holder"] == mine["holder"]:
                bucket.delete(_NAME)


def _wait_until_free(bucket: Bucket, mine: dict[str, object]) -> None:
    """Return once nobody holds the sweep, or its holder is known to be dead or has said nothing for long enough."""
    before, since_s = _holder(bucket), time.monotonic()
    while before is not None and not _is_dead(before, mine) and time.monotonic() - since_s < _DEAD_AFTER_S:
        time.sleep(_POLL_S)
        now = _holder(bucket)
        if now is not None and now != before:
            raise _taken(bucket, now)
        before = now


def _taken(bucket: Bucket, holder: dict[str, object]) -> SweepError:
    return SweepError(f"sweep {bucket.uri} is being run by process {holder['pid']} on {holder['host']}")


def _renew(bucket: Bucket, mine: dict[str, object], lease: Lease, over: threading.Event) -> None:
    for number in itertools.count(1):
        if over.wait(_RENEWED_EVERY_S):
            return
        with contextlib.suppress(OSError):  # it may work the next time
            holder = _holder(bucket)
            if holder is not None and holder["holder"] != mine["holder"]:
                lease.lost = True
                _interrupt()
                return
            _claim(bucket, mine, number)


def _interrupt() -> None:
    """Interrupt the main thread, whatever it waits for."""
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM if is_ignored else signal.SIGINT)


def _is_dead(holder: dict[str, object], mine: dict[str, object]) -> bool:
    """Whether the holder is known to be dead: it ran here and runs no more."""
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
    """Identifies this machine: processes with the same values can look each other up by process id. The machine's name
    alone is not enough."""
    here: dict[str, object] = {"host": socket.gethostname()}
    with contextlib.suppress(OSError):  # Linux
        here["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        here["numbers"] = str(Path("/proc/self/ns/pid").readlink())
    return here


def _holder(bucket: Bucket) -> dict[str, object] | None:
    content = bucket.read(_NAME)
    if content is None:
        return None
    try:
        return {**_UNKNOWN, **json.loads(content)}
    except (ValueError, TypeError):
        return dict(_UNKNOWN)


def _claim(bucket: Bucket, mine: dict[str, object], number: int) -> None:
    """Write this process down as the holder; ``number`` makes each renewal differ from the one before."""
    bucket.write(_NAME, json.dumps({**mine, "number": number}).encode())
