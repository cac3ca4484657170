"""What tests ask of processes: which there are below one, and whether one still runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def below(pid: int) -> Iterator[int]:
    """Yield all processes that ``pid`` started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            text = status.read_text()
            parents.setdefault(int(text[text.rindex(")") + 2 :].split()[1]), []).append(int(status.parent.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    yield from found[1:]


def wait_until(condition: Callable[[], bool], *, at_most_s: float) -> bool:
    """Whether the condition comes true in time."""
    until_s = time.monotonic() + at_most_s
    while time.monotonic() < until_s:
        if condition():
            return True
        time.sleep(0.05)
    return condition()
