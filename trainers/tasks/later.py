"""Marks arguments of a task that came after sweeps of it were in the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


def came_later(*names: str) -> Callable[[Function], Function]:
    """Say which arguments are not written out at their defaults: older sweeps keep their ids."""

    def marked(function: Function) -> Function:
        function.__dict__["later_fields"] = names
        return function

    return marked


MEASURED_LATER = ("calibration", "label_smoothing", "top")
"""Those of the shipped classifiers."""
