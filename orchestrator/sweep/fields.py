"""What stands in the fields of a sweep: from plain data to checked and complete values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import ValidationInfo

from orchestrator.search.goals import Constraint
from orchestrator.search.schedulers import SCHEDULERS
from orchestrator.search.searchers import SEARCHERS
from orchestrator.search.space import (
    Space,
    SpecSpace,
    parse_checked,
    parse_modifiers,
    parse_specs,
    setting_to_dict,
)
from orchestrator.sweep.resolve import as_float, is_signal, resolve_spec
from trainers import training_settings
from trainers.config import Spec
from trainers.lookup import check_complete, find
from trainers.sources import Source

_TRIALS_FOR_A_RANGE = 20
"""Configurations that tpe needs for each range to cover what a grid of seven values does (docs/scheduling.md)."""


def parse_task(value: Any) -> SpecSpace:
    return resolve_spec("task", SpecSpace.from_dict("task", value))


def is_signal_task(value: Any) -> bool:
    """Whether this task is one signal; a wrong one is none, and told as wrong where it is parsed."""
    try:
        return is_signal(SpecSpace.from_dict("task", value).name)
    except ValueError:
        return False


def parse_architectures(value: Any) -> tuple[SpecSpace, ...]:
    return tuple(resolve_spec("architecture", spec) for spec in parse_specs("architecture", value))


def parse_methods(value: Any, info: ValidationInfo) -> tuple[SpecSpace, ...]:
    task: SpecSpace | None = info.data.get("task")  # there is none where it was wrong
    signal = task is not None and is_signal(task.name)
    return tuple(resolve_spec("method", spec, signal=signal) for spec in parse_specs("method", value))


def parse_modifier_sets(value: Any) -> tuple[tuple[SpecSpace, ...], ...]:
    return tuple(tuple(resolve_spec("modifier", spec) for spec in one) for one in parse_modifiers(value))


def parse_optimisers(value: Any) -> tuple[SpecSpace, ...]:
    return tuple(resolve_spec("optimiser", spec) for spec in parse_specs("optimiser", value))


def parse_schedules(value: Any) -> tuple[SpecSpace, ...]:
    return tuple(resolve_spec("schedule", spec) for spec in parse_specs("schedule", value))


def parse_plain_setting(name: str, value: Any) -> Any:
    """Read a training setting that is one value, or a domain of such values."""
    setting = parse_checked(name, value, training_settings.PLAIN[name])
    return as_float(setting) if isinstance(training_settings.DEFAULTS[name], float) else setting


def settings_of(given: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The training settings that are not at their defaults, as ``Space`` has them, from a sweep's fields or some."""
    alternatives = {
        name: given[name] if isinstance(given[name], tuple) else (given[name],)
        for name in training_settings.DEFAULTS
        if name in given
    }
    return {
        name: some
        for name, some in alternatives.items()
        if [_written(one) for one in some] != [training_settings.DEFAULTS[name]]
    }


def settings_to_dict(settings: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """The inverse of ``settings_of``, as a sweep file writes it: a single alternative by itself, several as a list."""
    written = {name: [_written(one) for one in some] for name, some in settings.items()}
    return {name: some[0] if len(some) == 1 else some for name, some in written.items()}


def _written(one: Any) -> Any:
    return one.to_dict() if isinstance(one, SpecSpace) else setting_to_dict(one)


def parse_init_from(value: Any) -> Any:
    """The shortest form of a source, with a file's absolute path and digest, by which workers find and check it."""
    source = Source.from_dict(value)
    if not source.path:
        return ""
    from trainers.pretrained import pin  # loads torch

    return pin(source.to_dict())


def parse_search(value: Any, info: ValidationInfo) -> dict[str, Any]:
    return _complete("search", _default_search(info.data) if value is None else value, SEARCHERS)


def parse_scheduler(value: Any) -> dict[str, Any]:
    return _complete("scheduler", value, SCHEDULERS)


def parse_constraints(value: Any) -> tuple[Constraint, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"constraints is {value!r}: wanted a list, such as ['size_bytes <= 20 kB']")
    return tuple(item if isinstance(item, Constraint) else Constraint.parse(item) for item in value)


def _default_search(given: Mapping[str, Any]) -> Any:
    """A grid, unless several settings are ranges at once: then it needs three times the trainings of tpe.

    Args:
        given: the fields before, those that are right.
    """
    names = {"task": "task", "architecture": "architectures", "method": "methods"}
    fields = ("task", "architecture", "method", "steps", "batch_size", "modifiers")
    if any(name not in given for name in fields):
        return "grid"
    parts = {names.get(name, name): given[name] for name in fields}
    ranges = Space(**parts, settings=settings_of(given)).ranges
    if max(map(len, ranges)) < 2:
        return "grid"
    return {"name": "tpe", "num_trials": _TRIALS_FOR_A_RANGE * len(set().union(*ranges))}


def _complete(section: str, value: Any, registry: Mapping[str, type[Any]]) -> dict[str, Any]:
    """A searcher or scheduler with all its settings: what a file leaves open is part of the sweep's identity too."""
    spec = Spec.from_dict(section, value)
    kind = find(section, spec.name, registry)
    check_complete(section, spec.name, kind, spec.arguments)
    try:
        return {"name": spec.name, **asdict(kind(**spec.arguments))}
    except ValueError as error:
        raise ValueError(f"{section} {spec.name!r}: {error}") from error
