"""A path: the values of a rate knob that one training passes in turn, with operating points at each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainers import checks
from trainers.echo import echo
from trainers.nearest import nearest

_MOST_VALUES = 32
WANTED = "{path: [3.2, 0.8, 0.2]}, or {path: {from: 3.2, to: 0.2, points: 5}}"
"""How a path is written."""
PARTS = ("first", "learning_rate", "from", "to", "points")
"""What a path may consist of, beside ``path`` and inside it."""
_DEFAULTS = {"first": 0.4, "learning_rate": 1.0}


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The part of a training that has one value of the knob."""

    value: Any
    share: float
    """What part it is of the steps of the training."""
    learning_rate: float
    """A factor of the method's learning rates."""
    is_first: bool
    is_last: bool

    def called(self, knob: str, alone: str) -> str:
        """What a phase or a point is called: ``knob`` and the value, such as ``lam0.8``; ``alone`` without a path."""
        return alone if self.is_first and self.is_last else f"{knob}{shown(self.value)}"


@dataclass(frozen=True, kw_only=True)
class Path:
    """The values of a knob in the order in which a training passes them, and how it does."""

    values: tuple[Any, ...]
    first: float
    """The share of the steps that the first value has; the others have equal parts of the rest."""
    learning_rate: float
    """The learning rate after the first value, over that before."""

    @staticmethod
    def of(name: str, value: Any) -> Path:
        """The path of a knob called ``name``, which is a number, or a mapping such as ``{"path": [3.2, 0.8, 0.2]}``.

        ``{"path": {"from": 3.2, "to": 0.2, "points": 5}}`` is five values in a geometric row. Beside ``path`` may
        stand ``first`` and ``learning_rate``, the fields of this class. A number is a path of one value.

        Raises:
            ValueError: it is neither; one line says what is wrong.
        """
        if not isinstance(value, Mapping):
            return Path(values=(value,), first=1.0, learning_rate=1.0)
        if "path" not in value:
            raise ValueError(f"{name} is {echo(value)}: wanted a number, or {WANTED}")
        for key in value:
            if key != "path" and key not in _DEFAULTS:
                known = ["path", *_DEFAULTS]
                raise ValueError(f"{name} has {echo(key)}: wanted {', '.join(known)}{nearest(str(key), known)}")
        settings = {**_DEFAULTS, **value}
        checks.number(f"{name}: first", settings["first"], low=0, high=0.99, above=True)
        checks.number(f"{name}: learning_rate", settings["learning_rate"], low=0, above=True)
        values = _values(name, settings["path"])
        return Path(values=values, first=settings["first"], learning_rate=settings["learning_rate"])

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """One for each value."""
        rest = (1 - self.first) / max(len(self.values) - 1, 1)
        last = len(self.values) - 1
        return tuple(
            Stretch(
                value=value,
                share=rest if index else self.first,
                learning_rate=self.learning_rate if index else 1.0,
                is_first=index == 0,
                is_last=index == last,
            )
            for index, value in enumerate(self.values)
        )


def completed(value: Any) -> Any:
    """A knob's setting with the defaults of a path written out; anything but a path as it is."""
    return {**_DEFAULTS, **value} if isinstance(value, Mapping) and "path" in value else value


def _values(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, Mapping):
        if set(given) != {"from", "to", "points"}:
            raise ValueError(f"{name}: path is {echo(given)}: wanted from, to and points, as in {WANTED}")
        first, last, num = given["from"], given["to"], given["points"]
        checks.number(f"{name}: from", first, low=0, above=True)
        checks.number(f"{name}: to", last, low=0, above=True)
        checks.integer(f"{name}: points", num, low=2, high=_MOST_VALUES)
        if first == last:
            raise ValueError(f"{name}: path is {echo(given)}: wanted a row from one value to another")
        between = (math.log(first) + (math.log(last) - math.log(first)) * index / (num - 1) for index in range(num))
        values = [first, *(float(f"{math.exp(one):.4g}") for one in list(between)[1:-1]), last]
    elif isinstance(given, Sequence) and not isinstance(given, str) and 2 <= len(given) <= _MOST_VALUES:
        values = list(given)
    else:
        raise ValueError(f"{name}: path is {echo(given)}: wanted 2 to {_MOST_VALUES} values, as in {WANTED}")
    for one in values:
        if not isinstance(one, int | float | str) or isinstance(one, bool):
            raise ValueError(
                f"{name}: path has {echo(one)}: wanted single values; a range may stand for from, to and points"
            )
    if len(set(map(shown, values))) < len(values):
        raise ValueError(f"{name}: path is {echo(given)}: wanted each value once, told apart by six digits")
    return tuple(values)


def shown(value: Any) -> str:
    """A value of a path in the name of a file."""
    return f"{value:g}".replace("+", "") if isinstance(value, float) else str(value)
