"""A sweep as plain data: what it runs, checked and complete, and back to YAML."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationError, field_validator, model_validator

from orchestrator.errors import SweepError
from orchestrator.search.domains import AbstractDomain
from orchestrator.search.goals import Constraint, Goals, parse_objectives
from orchestrator.search.schedulers import SCHEDULERS
from orchestrator.search.schedulers.base import AbstractScheduler
from orchestrator.search.searchers import SEARCHERS
from orchestrator.search.searchers.base import AbstractSearcher
from orchestrator.search.space import Space, SpecSpace, parse_count, setting_to_dict
from orchestrator.sweep.budget import Budget
from orchestrator.sweep.fields import (
    is_signal_task,
    parse_architectures,
    parse_constraints,
    parse_init_from,
    parse_methods,
    parse_modifier_sets,
    parse_optimisers,
    parse_plain_setting,
    parse_scheduler,
    parse_schedules,
    parse_search,
    parse_task,
    settings_of,
    settings_to_dict,
)
from orchestrator.sweep.resolve import source_digests
from orchestrator.sweep.resources import Resources, Where
from orchestrator.sweep.section import YamlSection, mistake_line
from orchestrator.sweep.yaml_text import to_yaml
from trainers import training_settings
from trainers.config import EACH, Spec, in_order, is_in_turn
from trainers.echo import echo
from trainers.nearest import nearest
from trainers.sources import values_identity

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MOST_NAME_CHARACTERS = 100
"""The longest name: folders, tags and Kubernetes' objects are called by it, with more behind it."""
MAPPINGS = {"resources": "{cpu: 1, gpu: 0}", "budget": "{trials: 100}"}
"""The fields that are mappings, each with an example for errors."""


SIGNAL_BATCH_SIZE = 4096
"""The default where the task is one signal, in its samples."""
_OWN = (SpecSpace(name=training_settings.OWN, arguments={}),)


def _plain(name: str) -> PlainValidator:
    return PlainValidator(lambda value: parse_plain_setting(name, value))


class Sweep(YamlSection):
    """Everything that a sweep runs: all names exist, all arguments fit, and open rate knobs have become domains."""

    name: str = "sweep"
    task: Annotated[SpecSpace, PlainValidator(parse_task)]
    architecture: Annotated[tuple[SpecSpace, ...], PlainValidator(parse_architectures)]
    method: Annotated[tuple[SpecSpace, ...], PlainValidator(parse_methods)]
    steps: Annotated[int | AbstractDomain, PlainValidator(lambda value: parse_count("steps", value, low=0))] = 2000
    batch_size: Annotated[int | AbstractDomain, PlainValidator(lambda value: parse_count("batch_size", value))] = 64
    optimiser: Annotated[tuple[SpecSpace, ...], PlainValidator(parse_optimisers)] = _OWN
    """Alternatives to the optimiser of each method; ``trainers/training_settings.py`` has these settings."""
    schedule: Annotated[tuple[SpecSpace, ...], PlainValidator(parse_schedules)] = _OWN
    """Alternatives to the schedule of learning rates of each method."""
    precision: Annotated[str | AbstractDomain, _plain("precision")] = "float32"
    """Type of the activations while training."""
    clip: Annotated[float | AbstractDomain, _plain("clip")] = 0.0
    """The largest norm of the gradients of a step; 0: any."""
    ema: Annotated[float | AbstractDomain, _plain("ema")] = 0.0
    """The decay of moving averages of what is trained; 0: none."""
    accumulate: Annotated[int | AbstractDomain, _plain("accumulate")] = 1
    """The parts in which a batch is computed."""
    epochs: Annotated[float | AbstractDomain, _plain("epochs")] = 0.0
    """Passes over the training data, in place of ``steps``; 0: ``steps`` says how long a training is."""
    validate_examples: Annotated[int | AbstractDomain, _plain("validate_examples")] = 0
    """The validation examples that are looked at while training; 0: all."""
    init_from: Annotated[Any, PlainValidator(parse_init_from)] = ""
    """Initial values of every trial's network; ``trainers/sources.py`` says what it may be."""
    modifiers: Annotated[tuple[tuple[SpecSpace, ...], ...], PlainValidator(parse_modifier_sets)] = ((),)
    """Alternative sets; the modifiers of one set act together on a training, whatever its method."""
    seed: int = Field(default=0, ge=0)
    seeds: int = Field(default=1, ge=1, le=1000)
    search: Annotated[dict[str, Any], PlainValidator(parse_search)] = Field(default=None, validate_default=True)
    scheduler: Annotated[dict[str, Any], PlainValidator(parse_scheduler)] = Field(default="none", validate_default=True)
    objectives: Annotated[tuple[str, ...], PlainValidator(parse_objectives)] = Goals().objectives
    constraints: Annotated[tuple[Constraint, ...], PlainValidator(parse_constraints)] = ()
    resources: Resources = Resources()
    budget: Budget = Budget()

    @field_validator("name")
    @classmethod
    def _safe_in_paths_and_tags(cls, value: str) -> str:
        if len(value) > MOST_NAME_CHARACTERS:
            raise ValueError(f"name has {len(value)} characters: wanted {MOST_NAME_CHARACTERS} at most")
        if not _NAME.fullmatch(value):
            raise ValueError(
                f"name is {echo(value)}: wanted letters, digits, '.', '_', '-', the first a letter or digit"
            )
        return value

    @model_validator(mode="before")
    @classmethod
    def _steps_or_epochs(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not given.get("epochs"):
            return given
        if given.get("steps", 0) != 0:
            raise ValueError(
                f"steps is {echo(given['steps'])} and epochs is {echo(given['epochs'])}: wanted one of them"
            )
        return {**given, "steps": 0}

    @model_validator(mode="before")
    @classmethod
    def _batches_of_a_signal(cls, given: Any) -> Any:
        """A step sees many samples of a signal: one says little, and takes little time."""
        if isinstance(given, Mapping) and "batch_size" not in given and is_signal_task(given.get("task")):
            return {**given, "batch_size": SIGNAL_BATCH_SIZE}
        return given

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
        """Make a sweep from a document in the form of a sweep file, or of ``to_dict``.

        Args:
            document: plain data.
            source: the file that it came from, named first in an error.

        Raises:
            SweepError: something in it is wrong.
        """
        origin = f"{source}: " if source else ""
        if not isinstance(document, Mapping):
            raise SweepError(
                f"{origin}a sweep is {echo(document)}: wanted a mapping with task, architecture and method"
            )
        try:
            return Sweep.model_validate({str(key): value for key, value in document.items()})
        except ValidationError as error:
            raise SweepError(origin + _mistakes(error)) from error

    def to_dict(self) -> dict[str, Any]:
        """Plain data with every default written out, so that a later default changes nothing in it."""
        return {
            "name": self.name,
            "task": self.task.to_dict(),
            "architecture": [spec.to_dict() for spec in self.architecture],
            "method": [spec.to_dict() for spec in self.method],
            "steps": setting_to_dict(self.steps),
            "batch_size": setting_to_dict(self.batch_size),
            **settings_to_dict(settings_of(vars(self))),
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
        """A single set as a mapping, several as a list."""
        sets = [
            {spec.name: {key: setting_to_dict(item) for key, item in spec.arguments.items()} for spec in one}
            for one in self.modifiers
        ]
        return sets[0] if len(sets) == 1 else sets

    def to_yaml(self) -> str:
        """``to_dict`` as a sweep file."""
        return to_yaml(self.to_dict())

    @property
    def sweep_id(self) -> str:
        """The sweep's name and a hash of everything that changes results, the user's own code and initial values too.

        Name, resources and budget are not hashed, so that a sweep can go on with a larger budget.
        """
        content = {key: value for key, value in self.to_dict().items() if key not in ("name", "resources", "budget")}
        own = source_digests(spec.name for spec in (self.task, *self.architecture))
        if own:
            content["sources"] = own
        content = in_order(_by_content(content))
        return f"{self.name}-{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]}"

    @property
    def space(self) -> Space:
        """The search space: all configurations that the sweep may try."""
        return Space(
            task=self.task,
            architectures=self.architecture,
            methods=self.method,
            steps=self.steps,
            batch_size=self.batch_size,
            init_from=self.init_from,
            modifiers=self.modifiers,
            settings=settings_of(vars(self)),
        )

    @property
    def goals(self) -> Goals:
        """What the search is to optimise, and within which constraints."""
        return Goals(objectives=self.objectives, constraints=self.constraints)

    @property
    def may_train_nothing(self) -> bool:
        """Whether a trial may take no steps at all."""
        if self.epochs != 0:
            return isinstance(self.epochs, AbstractDomain) and self.epochs.contains(0)
        return self.steps.contains(0) if isinstance(self.steps, AbstractDomain) else self.steps == 0

    @property
    def files(self) -> dict[str, list[str]]:
        """The files that an argument of the task names in turn, by its name; mostly none."""
        return {name: value[EACH] for name, value in self.task.arguments.items() if is_in_turn(value)}

    @property
    def num_repeats(self) -> int:
        """How many trials each configuration has: one for each seed and each file in turn."""
        return self.seeds * math.prod(map(len, self.files.values()))

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
    """``item`` with each pinned file replaced by its digest: where it lies changes no result."""
    if isinstance(item, Mapping):
        return {key: _by_content(value) for key, value in item.items()}
    return [_by_content(value) for value in item] if isinstance(item, list) else values_identity(item)


def _mistakes(error: ValidationError) -> str:
    """All mistakes, each once; unknown fields first, since a misspelt one is missing elsewhere."""
    mistakes = sorted(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
    missing = " and ".join(str(mistake["loc"][0]) for mistake in mistakes if mistake["type"] == "missing")
    verb = "are" if " and " in missing else "is"
    texts = {
        "extra_forbidden": _unknown_field,
        "missing": lambda *_: f"{missing} {verb} missing: a sweep needs task, architecture and method",
        "model_type": _no_mapping,
    }
    return "; ".join(dict.fromkeys(mistake_line(mistake, texts) for mistake in mistakes))


def _unknown_field(field: str, _: Any) -> str:
    section, _, _ = field.rpartition(".")
    sections: dict[str, type[YamlSection]] = {"": Sweep, "resources": Resources, "budget": Budget}
    known = sections.get(section, Where).model_fields
    return f"unknown field {field!r}{nearest(field, [f'{section}.{key}' if section else key for key in known])}"


def _no_mapping(field: str, given: Any) -> str:
    return f"{field} is {given!r}: wanted a mapping, such as {MAPPINGS.get(field, '{method: epr, cpu: 2}')}"
