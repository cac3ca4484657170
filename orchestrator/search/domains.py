"""Domains: the values that one setting of a sweep may take, as a choice, a range, or a range of whole numbers."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainers.echo import echo
from trainers.nearest import nearest


class AbstractDomain(abc.ABC):
    """The values that one setting may take."""

    @abc.abstractmethod
    def grid(self, num_values: int) -> list[Any]:
        """All values of a choice, or ``num_values`` evenly spaced ones from end to end of a range; one: its middle."""

    @abc.abstractmethod
    def at(self, fraction: float) -> Any:
        """The value at ``fraction`` of the way through, 0 <= fraction < 1; uniform fractions give random draws."""

    @abc.abstractmethod
    def contains(self, value: Any) -> bool:
        """Whether the setting may take ``value``."""

    @abc.abstractmethod
    def distance(self, one: Any, other: Any) -> float:
        """The distance between two values, from 0 to 1."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The domain as a sweep file writes it."""


@dataclass(frozen=True)
class Choice(AbstractDomain):
    """One of ``values``, all equally likely."""

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not isinstance(self.values, Sequence) or not self.values:
            raise ValueError("wanted a list of at least one value")

    def grid(self, num_values: int) -> list[Any]:
        return list(self.values)

    def at(self, fraction: float) -> Any:
        return self.values[int(fraction * len(self.values))]

    def contains(self, value: Any) -> bool:
        return value in self.values

    def distance(self, one: Any, other: Any) -> float:
        return float(one != other)

    def to_dict(self) -> dict[str, Any]:
        return {"choice": list(self.values)}


@dataclass(frozen=True)
class RealRange(AbstractDomain):
    """A number between ``low`` and ``high``, uniformly distributed, or with ``log`` its logarithm is.

    Values have six significant digits where the range allows: they read well, and machines whose libm differs agree.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not _are_numbers(self.low, self.high) or self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError(f"wanted [low, high] with {'0 < ' if self.log else ''}low < high")

    def grid(self, num_values: int) -> list[float]:
        return [self.at(fraction) for fraction in _fractions(num_values)]

    def at(self, fraction: float) -> float:
        ratio_or_width = self.high / self.low if self.log else self.high - self.low
        if math.isinf(ratio_or_width):
            low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
            between = low * (1 - fraction) + high * fraction
            return self.round(math.exp(between) if self.log else between)
        return self.round(self.low * ratio_or_width**fraction if self.log else self.low + ratio_or_width * fraction)

    def round(self, value: float) -> float:
        """``value`` to six significant digits, or else clipped to the range."""
        rounded = float(f"{value:.6g}")
        return rounded if self.low <= rounded <= self.high else float(min(max(value, self.low), self.high))

    def contains(self, value: Any) -> bool:
        return _are_numbers(value) and self.low <= value <= self.high

    def distance(self, one: float, other: float) -> float:
        if self.log:
            return abs(math.log(one) - math.log(other)) / (math.log(self.high) - math.log(self.low))
        return abs(one / 2 - other / 2) / (self.high / 2 - self.low / 2)

    def to_dict(self) -> dict[str, Any]:
        return {"loguniform" if self.log else "uniform": [float(self.low), float(self.high)]}


@dataclass(frozen=True)
class IntegerRange(AbstractDomain):
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        if not whole or not _are_numbers(self.low, self.high) or self.low >= self.high:
            raise ValueError("wanted [low, high], whole numbers with low < high")

    def grid(self, num_values: int) -> list[int]:
        spaced = (round(self.low + (self.high - self.low) * fraction) for fraction in _fractions(num_values))
        return list(dict.fromkeys(spaced))

    def at(self, fraction: float) -> int:
        return self.low + int(fraction * (self.high - self.low + 1))

    def contains(self, value: Any) -> bool:
        return isinstance(value, int) and _are_numbers(value) and self.low <= value <= self.high

    def distance(self, one: int, other: int) -> float:
        return abs(one - other) / (self.high - self.low)

    def to_dict(self) -> dict[str, Any]:
        return {"integers": [self.low, self.high]}


def _ends(content: Any) -> tuple[Any, Any]:
    return tuple(content) if isinstance(content, list) and len(content) == 2 else (None, None)


DOMAINS: dict[str, Callable[[Any], AbstractDomain]] = {
    "choice": Choice,
    "integers": lambda content: IntegerRange(*_ends(content)),
    "loguniform": lambda content: RealRange(*_ends(content), log=True),
    "uniform": lambda content: RealRange(*_ends(content)),
}


def parse_setting(where: str, value: Any, *, lists_are_choices: bool) -> Any:
    """Make a domain from ``{choice: [...]}``, ``{uniform: [low, high]}`` and so on; anything else is returned as it is.

    Raises:
        ValueError: there is no such domain, or its content is wrong; the line begins with ``where``.
    """
    if isinstance(value, list) and lists_are_choices:
        content, make = value, DOMAINS["choice"]
    elif not isinstance(value, Mapping):
        return value
    elif len(value) != 1:
        raise ValueError(f"{where} is {echo(value)}: wanted a value or one domain, such as {{loguniform: [0.1, 3.0]}}")
    else:
        [(key, content)] = value.items()
        if key not in DOMAINS:
            raise ValueError(f"{where} is {echo(value)}: unknown domain {echo(key)}{nearest(str(key), DOMAINS)}")
        make = DOMAINS[key]
    try:
        return make(content)
    except ValueError as error:
        raise ValueError(f"{where} is {echo(value)}: {error}") from error


def _fractions(num_values: int) -> list[float]:
    return [0.5] if num_values == 1 else [index / (num_values - 1) for index in range(num_values)]


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item) for item in values)
