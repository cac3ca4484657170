"""What of a sweep's files cannot be read any more: the error that says so, and the lines that still can."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from orchestrator.errors import SweepError


class DamagedError(SweepError):
    """A file of a sweep is not what was written; the message names the file, and how to mend it."""


def intact_lines(content: bytes) -> tuple[dict[bytes, dict[str, Any]], int]:
    """The reports that lines of JSON still hold, and how many other lines are damaged.

    Half a line is no damage: a kill leaves it.

    Returns:
        The report of each line that can be read, by the line; the number of lines that are no begin of a report.
    """
    intact: dict[bytes, dict[str, Any]] = {}
    num_damaged = 0
    for line in content.split(b"\n"):
        try:
            row = json.loads(line)
            row["step"] + 0
        except (ValueError, TypeError, KeyError, RecursionError):
            num_damaged += bool(line) and not line.startswith(b"{")
        else:
            intact[line] = row
    return intact, num_damaged


def new_lines(now: Iterable[str], known: Iterable[str]) -> list[str]:
    """The lines of ``now`` that are not among the ``known`` ones; a file may be damaged in the same way again."""
    return list((Counter(now) - Counter(known)).elements())
