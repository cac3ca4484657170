"""Checks of values that came from a user or a file: one line that says what was given and what was wanted."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import Any

from trainers.echo import echo


def number(name: str, value: Any, /, *, low: float, high: float = math.inf, above: bool = False) -> None:
    """Demand a finite int or float in ``low``..``high`` (strictly above ``low`` if ``above``), not a bool."""
    wanted = f"a number {'above' if above else 'of at least'} {low:g}" + (
        f" and at most {high:g}" if math.isfinite(high) else ""
    )
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {echo(value)}: wanted {wanted}")
    if not abs(value) <= sys.float_info.max or value < low or value > high or (above and value == low):
        raise ValueError(f"{name} is {echo(value)}: wanted {wanted}")


def integer(name: str, value: Any, /, *, low: int, high: int | None = None) -> None:
    """Demand an int in ``low``..``high``, not a bool."""
    wanted = f"a whole number of at least {low}" + (f" and at most {high}" if high is not None else "")
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        raise ValueError(f"{name} is {echo(value)}: wanted {wanted}")


def integers(name: str, value: Any, /, *, low: int, high: int, max_length: int) -> None:
    """Demand a sequence of at most ``max_length`` ints in ``low``..``high``."""
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) > max_length:
        raise ValueError(f"{name} is {echo(value)}: wanted a list of at most {max_length} whole numbers")
    for index, item in enumerate(value):
        integer(f"{name}[{index}]", item, low=low, high=high)


def choice(name: str, value: Any, /, valid: Sequence[str]) -> None:
    """Demand one of ``valid``."""
    if value not in valid:
        raise ValueError(f"{name} is {echo(value)}: wanted {' or '.join(valid)}")


def boolean(name: str, value: Any, /) -> None:
    """Demand true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}: wanted true or false")


def unused(settings: Any, /, *names: str, where: str) -> None:
    """Refuse any value but the default in fields that have no effect; sweeps write defaults out."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        if field.name in names and (tuple(value) if isinstance(value, list) else value) != default:
            raise ValueError(f"{field.name} is {value!r}, which has no effect where {where}: leave it out")
