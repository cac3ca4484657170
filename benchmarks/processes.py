"""What the processor spends on a sweep, by process."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from pathlib import Path

KINDS = {
    "driver": r"^$",
    "workers": r"^ray::(?!TrackerActor)",
    "tracker": r"^ray::TrackerActor",
    "raylet": r"/raylet",
    "gcs": r"/gcs_server",
    "other": r"",
}
"""How the command line of each kind of process begins, or what it has; the driver is this process."""


def processor_s() -> dict[str, float]:
    """Seconds of processor time of this process and of all that it started, directly or not, and that still run.

    By kind. Ray renames a worker when it works and when it is idle; both are workers.
    """
    fields = _fields()
    found: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    for pid in (os.getpid(), *_below(os.getpid(), fields)):
        found[_kind(pid)] += int(fields[pid][11]) + int(fields[pid][12])
    return {kind: ticks / os.sysconf("SC_CLK_TCK") for kind, ticks in found.items()}


def below(pid: int) -> list[int]:
    """All processes that ``pid`` started, directly or not."""
    return _below(pid, _fields())


def _fields() -> dict[int, list[str]]:
    """What the kernel says of each process, after its name."""
    found: dict[int, list[str]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            found[int(status.parent.name)] = status.read_text().rpartition(")")[2].split()
    return found


def _below(pid: int, fields: dict[int, list[str]]) -> list[int]:
    pids = [pid]
    for one in pids:
        pids += [child for child, row in fields.items() if int(row[1]) == one]
    return pids[1:]


def _kind(pid: int) -> str:
    if pid == os.getpid():
        return "driver"
    line = ""
    with contextlib.suppress(OSError):
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return next(kind for kind, pattern in KINDS.items() if kind != "driver" and re.search(pattern, line))
