"""Settings for tensors by patterns of their names: what a method's field ``tensors`` holds, checked and looked up.

    tensors: {"grids.*": {step: 0.05, learning_rate: 0.01}, "*.bias": {step: 0.1}}

The first pattern that fits a tensor's name counts: the tensor has the settings of that pattern, and no others.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from trainers.nearest import nearest

T = TypeVar("T")
Check = Callable[[str, Any], None]
"""(name of a setting as errors show it, value); raises ``ValueError`` where the value is wrong."""

_MOST_SHOWN = 8


def check(tensors: Any, /, **settings: Check) -> None:
    """Check the field ``tensors`` of a method.

    Args:
        tensors: as the user gave it.
        settings: the settings that the method knows, each with the check of its values.

    Raises:
        ValueError: it is no mapping from patterns to settings, or a setting is unknown or out of range.
    """
    example = f"{{'*.bias': {{{next(iter(settings))!r}: ...}}}}"
    if not isinstance(tensors, Mapping):
        raise ValueError(f"tensors is {tensors!r}: wanted settings by patterns of tensor names, such as {example}")
    for pattern, given in tensors.items():
        if not isinstance(pattern, str) or not isinstance(given, Mapping) or not given:
            raise ValueError(
                f"tensors: {pattern!r} is {given!r}: wanted a pattern of tensor names and its settings, such as "
                f"{example}"
            )
        for name, value in given.items():
            if name not in settings:
                raise ValueError(f"tensors: {pattern!r} has no setting {name!r}{nearest(str(name), settings)}")
            settings[name](f"tensors: {pattern!r}: {name}", value)


def is_skipped(tensors: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    """Whether a tensor is not to be rounded."""
    return bool(first_fit(tensors, name, {}).get("skip", False))


def check_skip(name: str, value: Any) -> None:
    """The check of the setting ``skip``."""
    if value is not True:
        raise ValueError(f"{name} is {value!r}: wanted true, or the setting left out")


def check_fits(field: str, patterns: Iterable[str], names: Sequence[str]) -> None:
    """Refuse a pattern that fits no tensor.

    Args:
        field: the field of the method that holds the patterns.
        patterns: patterns of tensor names.
        names: the network's tensors that the method compresses.

    Raises:
        ValueError: a pattern fits none of ``names``.
    """
    for pattern in patterns:
        if not _fitting(pattern, names):
            shown = ", ".join([*names[:_MOST_SHOWN], *["..."] * (len(names) > _MOST_SHOWN)])
            raise ValueError(f"{field}: {pattern!r} fits none of the network's tensors: {shown}")


def check_counts(field: str, patterns: Iterable[str], names: Sequence[str]) -> None:
    """Refuse a pattern that decides nothing: it fits no tensor, or only tensors that patterns before it fit.

    Args:
        field: the field of the method that holds the patterns.
        patterns: patterns of tensor names, in the order in which they are tried.
        names: the network's tensors that the method compresses.

    Raises:
        ValueError: a pattern never counts.
    """
    patterns = list(patterns)
    check_fits(field, patterns, names)
    taken: set[str] = set()
    for pattern in patterns:
        fitting = _fitting(pattern, names)
        if taken.issuperset(fitting):
            raise ValueError(
                f"{field}: {pattern!r} never counts, because patterns before it fit all that it fits "
                f"({', '.join(fitting[:_MOST_SHOWN])}): put it first"
            )
        taken.update(fitting)


def first_fit(patterns: Mapping[str, T], name: str, otherwise: T) -> T:
    """What the first pattern that fits ``name`` stands for, or ``otherwise``."""
    return next((found for pattern, found in patterns.items() if fnmatch.fnmatchcase(name, pattern)), otherwise)


def _fitting(pattern: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if fnmatch.fnmatchcase(name, pattern)]
