"""What can be swept, as plain data, written from the registries alone: a new entry appears by being registered."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from orchestrator.search.schedulers import SCHEDULERS
from orchestrator.search.searchers import SEARCHERS
from orchestrator.sweep.recipes import recipe_paths
from orchestrator.sweep.resolve import FROM_TASK, description, knob_domain, module_description
from trainers.architectures import ARCHITECTURES
from trainers.methods import METHODS
from trainers.methods.base import AbstractMethod
from trainers.modifiers import MODIFIERS
from trainers.tasks import TASKS
from trainers.training_settings import OPTIMISERS, SCHEDULES

Row = dict[str, Any]


def catalogue() -> dict[str, list[Row]]:
    """Everything registered, by kind; each row has a ``name``, a ``description`` of one line, and ``arguments``.

    A method's row also has its ``rate_knob``, which is no other argument: the field, and the domain that a sweep tries,
    as a sweep file writes it; its ``cost``; and its ``point_fields`` (``AbstractMethod`` says what these are).
    """
    return {
        "methods": [_method(name, kind) for name, kind in METHODS.items()],
        "architectures": _rows(ARCHITECTURES, description, left_out=FROM_TASK),
        "tasks": _rows(TASKS, description),
        "modifiers": _rows(MODIFIERS, module_description),
        "optimisers": _rows(OPTIMISERS, description),
        "schedules": _rows(SCHEDULES, description),
        "searchers": _rows(SEARCHERS, description),
        "schedulers": _rows(SCHEDULERS, description),
        "recipes": [{"name": name, "description": _first_comment(path)} for name, path in recipe_paths().items()],
    }


def _method(name: str, kind: type[AbstractMethod]) -> Row:
    knob = kind.rate_knob
    return {
        "name": name,
        "description": module_description(kind),
        "rate_knob": None if knob is None else {"field": knob.field, "domain": knob_domain(knob).to_dict()},
        "cost": kind.cost,
        "point_fields": list(kind.point_fields),
        "arguments": [one for one in _arguments(kind) if knob is None or one["name"] != knob.field],
    }


def _rows(
    entries: Mapping[str, Callable[..., Any]],
    describe: Callable[[Callable[..., Any]], str],
    left_out: Collection[str] = (),
) -> list[Row]:
    return [
        {"name": name, "description": describe(entry), "arguments": _arguments(entry, left_out)}
        for name, entry in entries.items()
    ]


def _arguments(entry: Callable[..., Any], left_out: Collection[str] = ()) -> list[Row]:
    """The arguments that a sweep may give, in order, but for those ``left_out``, which come from the task."""
    made = {  # a signature does not show them
        field.name: field.default_factory()
        for field in (dataclasses.fields(entry) if dataclasses.is_dataclass(entry) else ())
        if field.default_factory is not dataclasses.MISSING
    }
    return [
        {"name": name, "is_required": True}
        if parameter.default is parameter.empty
        else {"name": name, "is_required": False, "default": json.loads(json.dumps(made.get(name, parameter.default)))}
        for name, parameter in inspect.signature(entry).parameters.items()
        if name not in left_out
    ]


def _first_comment(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
