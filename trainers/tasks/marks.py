"""Marks arguments of a task: those that came after sweeps of it were in the world, and one that names a file."""

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


def in_form_alone(*names: str) -> Callable[[Function], Function]:
    """Say which arguments of a shipped task change the form of examples alone: points with either are of one task."""

    def marked(function: Function) -> Function:
        function.__dict__["form_fields"] = names
        return function

    return marked


def is_signal(function: Function) -> Function:
    """Say that the task is one signal (``tasks.task.Signal``): its sweeps have other default ranges and batches."""
    function.__dict__["is_signal"] = True
    return function


def names_file(name: str) -> Callable[[Function], Function]:
    """Say which argument is the path of a file: a sweep holds it to its content."""

    def marked(function: Function) -> Function:
        function.__dict__["file_field"] = name
        return function

    return marked


def from_network(*names: str) -> Callable[[Function], Function]:
    """Say which arguments a file's network knows: ``evaluate`` takes them from there, where they are not given."""

    def marked(function: Function) -> Function:
        function.__dict__["network_fields"] = names
        return function

    return marked


MEASURED_LATER = ("calibration", "label_smoothing", "top")
"""Those of the shipped classifiers."""
