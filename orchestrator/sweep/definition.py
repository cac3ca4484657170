"""What to run: a sweep as plain data, from and to YAML, and the trials it plans."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, PlainValidator, ValidationError, ValidationInfo, field_validator, model_validator

from orchestrator.errors import SweepError
from orchestrator.search.domains import AbstractDomain
from orchestrator.search.goals import Constraint, Goals, parse_objectives
from orchestrator.search.schedulers import SCHEDULERS
from orchestrator.search.schedulers.base import AbstractScheduler
from orchestrator.search.searchers import SEARCHERS
from orchestrator.search.searchers.base import AbstractSearcher
from orchestrator.search.space import (
    Space,
    SpecSpace,
    parse_count,
    parse_modifiers,
    parse_specs,
    setting_to_dict,
)
from orchestrator.sweep import resolve as registries
from orchestrator.sweep.budget import Budget
from orchestrator.sweep.file import load_document
from orchestrator.sweep.resources import Resources, Where
from orchestrator.sweep.section import Frozen
from trainers.config import Spec, values_identity
from trainers.lookup import check_complete, find
from trainers.nearest import nearest

_TRIALS_FOR_A_RANGE = 20
"""Configurations: what tpe needed to cover what a grid of seven values for each range does (docs/scheduling.md)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


MAPPINGS = {"resources": "{cpu: 1, gpu: 0}", "budget": "{trials: 100}"}
"""Fields that are mappings, each with an example."""


def _task(value: Any) -> SpecSpace:
    return registries.resolved("task", SpecSpace.from_dict("task", value))


def _architectures(value: Any) -> tuple[SpecSpace, ...]:
    return tuple(registries.resolved("architecture", spec) for spec in parse_specs("architecture", value))


def _methods(value: Any) -> tuple[SpecSpace, ...]:
    return tuple(registries.resolved("method", spec) for spec in parse_specs("method", value))


def _init_from(value: Any) -> str:
    """A name, or an absolute path with the digest of the file, which workers find and check."""
    if not isinstance(value, str):
        raise ValueError(f"init_from is {value!r}: wanted the path of a state_dict, or a trained network's name")
    if not value:
        return value
    from trainers.pretrained import pin  # loads torch

    return pin(value)


def _modifiers(value: Any) -> tuple[tuple[SpecSpace, ...], ...]:
    return tuple(tuple(registries.resolved("modifier", spec) for spec in one) for one in parse_modifiers(value))


def _search(value: Any, info: ValidationInfo) -> dict[str, Any]:
    return _complete("search", _default_search(info.data) if value is None else value, SEARCHERS)


def _default_search(given: Mapping[str, Any]) -> Any:
    """A grid, unless several settings are ranges at once: then it needs three times the trainings of tpe.

    Args:
        given: the fields before, those that are right.
    """
    names = {"task": "task", "architecture": "architectures", "method": "methods"}
    fields = ("task", "architecture", "method", "steps", "batch_size", "modifiers")
    if any(name not in given for name in fields):
        return "grid"
    ranges = Space(**{names.get(name, name): given[name] for name in fields}).ranges
    if max(map(len, ranges)) < 2:
        return "grid"
    return {"name": "tpe", "num_trials": _TRIALS_FOR_A_RANGE * len(set().union(*ranges))}


def _scheduler(value: Any) -> dict[str, Any]:
    return _complete("scheduler", value, SCHEDULERS)


def _complete(section: str, value: Any, registry: Mapping[str, type[Any]]) -> dict[str, Any]:
    """With its defaults, so that what a file leaves open is part of the sweep's identity."""
    spec = Spec.from_dict(section, value)
    kind = find(section, spec.name, registry)
    check_complete(section, spec.name, kind, spec.arguments)
    try:
        return {"name": spec.name, **asdict(kind(**spec.arguments))}
    except ValueError as error:
        raise ValueError(f"{section} {spec.name!r}: {error}") from error


def _constraints(value: Any) -> tuple[Constraint, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"constraints is {value!r}: wanted a list, such as ['size_bytes <= 20 kB']")
    return tuple(item if isinstance(item, Constraint) else Constraint.parse(item) for item in value)


class Sweep(Frozen):
    """Everything a sweep runs, resolved: names exist, arguments fit, open rate knobs are domains."""

    name: str = "sweep"
    task: Annotated[SpecSpace, PlainValidator(_task)]
    architecture: Annotated[tuple[SpecSpace, ...], PlainValidator(_architectures)]
    method: Annotated[tuple[SpecSpace, ...], PlainValidator(_methods)]
    steps: Annotated[int | AbstractDomain, PlainValidator(lambda value: parse_count("steps", value))] = 2000
    batch_size: Annotated[int | AbstractDomain, PlainValidator(lambda value: parse_count("batch_size", value))] = 64
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of activations while training."""
    init_from: Annotated[str, PlainValidator(_init_from)] = ""
    """Of every trial: see ``TrialConfig``."""
    modifiers: Annotated[tuple[tuple[SpecSpace, ...], ...], PlainValidator(_modifiers)] = ((),)
    """Alternatives, each of what acts together on a training, whatever its method."""
    seed: int = Field(default=0, ge=0)
    seeds: int = Field(default=1, ge=1)
    search: Annotated[dict[str, Any], PlainValidator(_search)] = Field(default=None, validate_default=True)
    scheduler: Annotated[dict[str, Any], PlainValidator(_scheduler)] = Field(default="none", validate_default=True)
    objectives: Annotated[tuple[str, ...], PlainValidator(parse_objectives)] = Goals().objectives
    constraints: Annotated[tuple[Constraint, ...], PlainValidator(_constraints)] = ()
    resources: Resources = Resources()
    budget: Budget = Budget()

    @field_validator("name")
    @classmethod
    def _safe_in_paths_and_tags(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(f"name is {value!r}: wanted letters, digits, '.', '_', '-', the first a letter or digit")
        return value

    @model_validator(mode="after")
    def _scheduler_sees_the_objectives(self) -> Sweep:
        if self.scheduler["name"] != "none" and set(self.objectives) != set(Goals().objectives):
            raise ValueError(
                f"scheduler {self.scheduler['name']!r} compares rate and quality: it would stop what is good in "
                f"{', '.join(self.objectives)}; wanted the objectives {', '.join(Goals().objectives)}, or no scheduler"
            )
        return self

    @model_validator(mode="after")
    def _resources_name_what_there_is(self) -> Sweep:
        for section in ("architecture", "method"):
            specs: Sequence[SpecSpace] = getattr(self, section)
            for pattern in self.resources.patterns(section):
                if not any(spec.may_be(pattern) for spec in specs):
                    shown = Spec.from_dict(section, pattern)
                    there = ", ".join(dict.fromkeys(spec.name for spec in specs))
                    raise ValueError(f"resources.where: no trial has {section} {shown}: wanted one of {there}")
        return self

    @staticmethod
    def from_dict(document: Any, *, source: str = "") -> Sweep:
        """From a document as a sweep file has it, or as ``to_dict`` gives it.

        Args:
            document: plain data.
            source: the file it came from, to begin an error with.

        Raises:
            SweepError: something in it is wrong.
        """
        origin = f"{source}: " if source else ""
        if not isinstance(document, Mapping):
            raise SweepError(f"{origin}a sweep is {document!r}: wanted a mapping with task, architecture and method")
        try:
            return Sweep.model_validate({str(key): value for key, value in document.items()})
        except ValidationError as error:
            raise SweepError(origin + _one_line(error)) from error

    @staticmethod
    def load(path: str | Path) -> Sweep:
        """From a YAML file; ``SweepError`` names the file, and the line where the YAML is broken."""
        return Sweep.from_dict(load_document(path), source=str(path))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, complete: a later default changes nothing in it."""
        return {
            "name": self.name,
            "task": self.task.to_dict(),
            "architecture": [spec.to_dict() for spec in self.architecture],
            "method": [spec.to_dict() for spec in self.method],
            "steps": setting_to_dict(self.steps),
            "batch_size": setting_to_dict(self.batch_size),
            **({"precision": self.precision} if self.precision != "float32" else {}),
            **({"init_from": self.init_from} if self.init_from else {}),
            **({"modifiers": self._modifiers_to_dict()} if any(self.modifiers) else {}),
            "seed": self.seed,
            "seeds": self.seeds,
            "search": dict(self.search),
            **({"scheduler": dict(self.scheduler)} if self.scheduler["name"] != "none" else {}),
            **({"objectives": list(self.objectives)} if self.objectives != Goals().objectives else {}),
            **({"constraints": [str(constraint) for constraint in self.constraints]} if self.constraints else {}),
            "resources": self.resources.to_dict(),
            **({"budget": self.budget.model_dump(exclude_none=True)} if self.budget.is_set else {}),
        }

    def _modifiers_to_dict(self) -> Any:
        """One set as it is, several as a list."""
        sets = [
            {spec.name: {key: setting_to_dict(item) for key, item in spec.arguments.items()} for spec in one}
            for one in self.modifiers
        ]
        return sets[0] if len(sets) == 1 else sets

    def to_yaml(self) -> str:
        """``to_dict`` as a sweep file."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    @property
    def sweep_id(self) -> str:
        """The name and a hash of everything that changes results, the user's own code and initial values included.

        Neither resources nor the budget nor the name are hashed: a sweep goes on with a larger budget.
        """
        content = {key: value for key, value in self.to_dict().items() if key not in ("name", "resources", "budget")}
        own = registries.sources(spec.name for spec in (self.task, *self.architecture))
        if own:
            content["sources"] = own
        content = _by_content(content)
        return f"{self.name}-{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]}"

    @property
    def space(self) -> Space:
        return Space(
            task=self.task,
            architectures=self.architecture,
            methods=self.method,
            steps=self.steps,
            batch_size=self.batch_size,
            precision=self.precision,
            init_from=self.init_from,
            modifiers=self.modifiers,
        )

    @property
    def goals(self) -> Goals:
        return Goals(objectives=self.objectives, constraints=self.constraints)

    @property
    def is_adaptive(self) -> bool:
        """Whether the search chooses what to try next by what it has measured."""
        return self.make_searcher().is_adaptive

    @property
    def is_fixed(self) -> bool:
        """Whether the plan is fixed in advance: which trials run depends on the result of none.

        Such trials may run anywhere, in any order, without knowing of each other.
        """
        return not (self.is_adaptive or self.scheduler["name"] != "none" or self.budget.is_set)

    def make_searcher(self) -> AbstractSearcher:
        """The searcher that the settings in ``search`` describe."""
        settings = {key: value for key, value in self.search.items() if key != "name"}
        return SEARCHERS[self.search["name"]](**settings)

    def make_scheduler(self) -> AbstractScheduler:
        """The scheduler that the settings in ``scheduler`` describe."""
        settings = {key: value for key, value in self.scheduler.items() if key != "name"}
        return SCHEDULERS[self.scheduler["name"]](**settings)


def _by_content(item: Any) -> Any:
    """``item`` with pinned files by their digests, wherever they lie."""
    if isinstance(item, Mapping):
        return {key: _by_content(value) for key, value in item.items()}
    return [_by_content(value) for value in item] if isinstance(item, list) else values_identity(item)


def _one_line(error: ValidationError) -> str:
    """The first error and the number of others; unknown fields first, since a misspelt one is missing elsewhere."""
    errors = sorted(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
    first = errors[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        section, _, _ = where.rpartition(".")
        sections: dict[str, type[Frozen]] = {"": Sweep, "resources": Resources, "budget": Budget}
        known = sections.get(section, Where).model_fields
        valid = [f"{section}.{key}" if section else key for key in known]
        text = f"unknown field {where!r}{nearest(where, valid)}"
    elif first["type"] == "missing":
        text = f"{where} is missing: a sweep needs task, architecture and method"
    elif first["type"] == "value_error":
        text = str(first["ctx"]["error"])
    elif first["type"] == "model_type":
        such = MAPPINGS.get(where, "{method: epr, cpu: 2}")
        text = f"{where} is {first['input']!r}: wanted a mapping, such as {such}"
    else:
        text = f"{where} is {first['input']!r}: {first['msg'].replace('Input should be', 'wanted')}"
    return text + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else "")
