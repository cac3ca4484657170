"""What stands in place of a rate knob's value, a path or an aim, in a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AIMS = ("size", "bits_per_parameter")
"""What an aim says."""


def is_aim(value: Any) -> bool:
    """Whether a setting of a trial is an aim (``trainers/aims.py``); a method of one's own may have settings alike."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in AIMS


def aim_label(given: Mapping[str, Any]) -> str:
    """An aim as ``size(2kB)``."""
    ((kind, value),) = given.items()
    return f"{kind}({_rounded(value, 6)})"


def is_path(value: Any) -> bool:
    """Whether a setting of a trial is a path, with all its parts; a method of one's own may have settings alike."""
    if not isinstance(value, Mapping) or set(value) != {"first", "learning_rate", "path"}:
        return False
    path = value["path"]
    return set(path) == {"from", "to", "points"} if isinstance(path, Mapping) else isinstance(path, list) and path != []


def path_label(given: Mapping[str, Any], num_digits: int = 4) -> str:
    """A path's setting without spaces around equals signs, which end a setting: ``path(3.2..0.2 in 5, first 0.4)``."""
    path = given["path"]
    ends = (path["from"], path["to"]) if isinstance(path, Mapping) else (path[0], path[-1])
    first, last = (_rounded(end, num_digits) for end in ends)
    num = path["points"] if isinstance(path, Mapping) else len(path)
    rest = [f", {key} {_rounded(given[key], num_digits)}" for key in sorted(given) if key != "path"]
    rest = [one for one in rest if one != ", learning_rate 1"]  # the usual one
    return f"path({first}..{last} in {num}{''.join(rest)})"


def _rounded(value: Any, num_digits: int) -> str:
    return f"{value:.{num_digits}g}" if isinstance(value, float) else str(value)
