"""Names in a sweep to what they mean. Registries load torch, so they are imported when first asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.domains import Choice, Real
from orchestrator.space import SpecSpace
from trainers.lookup import check_complete, find, resolve

_FROM_TASK = frozenset({"input_shape", "num_outputs"})
"""What an architecture gets from its task, unless a sweep says otherwise."""


def registry(kind: str) -> Mapping[str, Callable[..., Any]]:
    """Of ``task``, ``architecture`` or ``method``."""
    if kind == "task":
        from trainers.tasks import TASKS

        return TASKS
    if kind == "architecture":
        from trainers.architectures import ARCHITECTURES

        return ARCHITECTURES
    from trainers.methods import METHODS

    return METHODS


def lookup(kind: str, name: str) -> Callable[..., Any]:
    """The registered object, or the user's own task or architecture, imported: the sweep is the user's as well.

    Raises:
        ValueError: there is no such object.
    """
    if kind == "method":  # a file names the method that decodes it, so methods are registered
        return find(kind, name, registry(kind))
    return resolve(kind, name, registry(kind), allow_import=True)


def resolved(kind: str, spec: SpecSpace) -> SpecSpace:
    """``spec``, checked by signature, with the rate knob of a method that leaves it open as a domain.

    Raises:
        ValueError: the name or an argument is wrong.
    """
    function = lookup(kind, spec.name)
    if kind == "method":
        knob = getattr(function, "rate_knob", None)
        if knob is not None and knob.field not in spec.arguments:
            domain = Choice(list(knob.values)) if knob.values else Real(knob.low, knob.high, log=knob.log)
            spec = replace(spec, arguments=dict(sorted({**spec.arguments, knob.field: domain}.items())))
    from_task = _FROM_TASK & set(inspect.signature(function).parameters) if kind == "architecture" else ()
    check_complete(kind, spec.name, function, {**dict.fromkeys(from_task), **spec.arguments})
    return spec
