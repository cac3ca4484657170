"""The shape of the examples that a file's network takes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from trainers.compressed import Opened
from trainers.echo import echo

_KNOWN = {"lenet5": (1, 28, 28), "lenet300_100": (1, 28, 28)}
"""Architectures that do not say what they take."""


def shape_of(opened: Opened, given: Sequence[int] | None) -> tuple[int, ...]:
    """The shape of one example: the given one, or that of the architecture.

    Raises:
        ValueError: neither says it.
    """
    header = opened.header
    if given is not None:
        return tuple(given)
    if header.architecture in _KNOWN:
        return _KNOWN[header.architecture]
    parameter = inspect.signature(opened.architecture).parameters.get("input_shape")
    found = header.arguments.get("input_shape", parameter.default if parameter else None)
    if not isinstance(found, list | tuple):
        raise ValueError(
            f"architecture {echo(header.architecture)} does not say what shape an example has: give --input-shape"
        )
    return tuple(found)
