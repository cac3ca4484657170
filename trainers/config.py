"""Everything one training needs, as plain data that travels to a worker and into a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from trainers import checks, pinned, training_settings
from trainers.nearest import nearest
from trainers.path_label import aim_label, is_aim, is_path, path_label
from trainers.sources import Source, values_identity
from trainers.training_settings import steps_per_epoch

EACH = "each"
"""The key of an argument that names several files: each is a repeat of a configuration, as a seed is."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A name from a registry (or the user's ``module:callable``) with keyword arguments."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def from_dict(kind: str, value: Any) -> Spec:
        """Read ``"name"`` or ``{"name": ..., argument: value, ...}``."""
        if isinstance(value, str):
            return Spec(name=value)
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            raise ValueError(f"{kind} is {value!r}: wanted a name, or a mapping with a name and arguments")
        return Spec(name=value["name"], arguments={key: item for key, item in value.items() if key != "name"})

    @staticmethod
    def own() -> Spec:
        """The method's own optimiser or schedule."""
        return Spec(name=training_settings.OWN)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **self.arguments}

    def __str__(self) -> str:
        """The text that legends show, such as ``mlp(hidden=[64])``."""
        if not self.arguments:
            return self.name
        return f"{self.name}({', '.join(f'{key}={_short(value)}' for key, value in sorted(self.arguments.items()))})"


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """One training. ``batch_size`` is in examples, ``steps`` counts optimiser steps over all phases of the method.

    With zero steps the network is stored as it is given, with nothing moved (``instantiate.check_steps``).
    """

    task: Spec
    architecture: Spec
    method: Spec
    steps: int
    batch_size: int = 64
    seed: int = 0
    optimiser: Spec = field(default_factory=Spec.own)
    """What moves weights in place of the method's own optimiser, at the method's learning rates."""
    schedule: Spec = field(default_factory=Spec.own)
    """What multiplies these learning rates over the steps of each phase, in place of the method's own schedule."""
    precision: str = "float32"
    """The dtype of activations in training, ``float32``, ``bfloat16`` or ``float16``; parameters and measurements are
    float32."""
    clip: float = 0.0
    """The largest norm of all gradients of a step together; 0: any."""
    ema: float = 0.0
    """The decay of the moving averages that stand for trained tensors at the end of a phase; 0: none are taken."""
    accumulate: int = 1
    """In how many parts the gradients of a batch are computed, one after the other."""
    epochs: float = 0.0
    """How often the training passes its data, in place of ``steps``, which is 0 then; 0: ``steps`` says how long."""
    validate_examples: int = 0
    """How many validation examples are looked at while training, evenly spaced; 0: all. Files are measured on all."""
    init_from: Any = ""
    """The source of the plain network's initial values (``trainers/sources.py``): the path of a ``state_dict`` or a
    ``.rfz``, the name of a trained network, ``fusion(A, B)`` of several, or a mapping of a path and what of it to take;
    empty: drawn at random. ``pretrained.pin`` adds the digest of a path's content."""
    modifiers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The modifiers of the training, whatever its method: settings, keyed by modifier (``trainers/modifiers``)."""
    each: dict[str, list[str]] = field(default_factory=dict)
    """The files that an argument of the task names in turn, of which ``task`` has one: its configuration is repeated
    with each, as with each seed. Mostly empty."""

    def __post_init__(self) -> None:
        checks.integer("steps", self.steps, low=0)
        checks.integer("batch_size", self.batch_size, low=1)
        checks.integer("seed", self.seed, low=0)
        for name, check in training_settings.PLAIN.items():
            check(getattr(self, name))
        for kind in training_settings.NAMED:
            spec: Spec = getattr(self, kind)
            if spec.name != training_settings.OWN or spec.arguments:
                training_settings.make(kind, spec.name, spec.arguments)
        if self.epochs and self.steps:
            raise ValueError(f"steps is {self.steps} and epochs is {self.epochs:g}: wanted one of them")
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"accumulate is {self.accumulate} and batch_size is {self.batch_size}: wanted an example at least in "
                "each part of a batch"
            )
        Source.from_dict(self.init_from)
        for name, files in self.each.items():
            if self.task.arguments.get(name) not in files:
                raise ValueError(f"each has {name}: {files}: wanted the task's own {name} among them")
        if not isinstance(self.modifiers, Mapping) or not all(
            isinstance(name, str) and isinstance(settings, Mapping) for name, settings in self.modifiers.items()
        ):
            raise ValueError(f"modifiers is {self.modifiers!r}: wanted a mapping from names to settings")
        try:
            self.to_json()
        except (TypeError, ValueError) as error:
            raise ValueError(f"a trial is plain data, as JSON has it: {error}") from error

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> TrialConfig:
        """The inverse of ``to_dict``.

        Raises:
            ValueError: a field is unknown, missing or out of range.
        """
        valid = [item.name for item in fields(TrialConfig)]
        for key in value:
            if key not in valid:
                raise ValueError(f"a trial has no field {key!r}{nearest(key, valid)}")
        given: dict[str, Any] = {**({"steps": 0} if value.get("epochs") else {}), **value}
        for key in ("task", "architecture", "method", "steps"):
            if key not in given:
                raise ValueError(f"a trial needs {key!r}; given: {', '.join(value) or 'nothing'}")
        for key in ("task", "architecture", "method", *training_settings.NAMED):
            if key in given:
                given[key] = Spec.from_dict(key, given[key])
        if "modifiers" in given:
            given["modifiers"] = modifiers_from_dict(given["modifiers"])
        return TrialConfig(**given)

    def to_dict(self) -> dict[str, Any]:
        specs = {key: getattr(self, key).to_dict() for key in ("task", "architecture", "method")}
        changed = self.settings
        if source := Source.from_dict(self.init_from).to_dict():
            changed["init_from"] = source
        if self.modifiers:
            changed["modifiers"] = {name: dict(settings) for name, settings in sorted(self.modifiers.items())}
        if self.each:
            changed["each"] = {name: list(files) for name, files in self.each.items()}
        return {**specs, "steps": self.steps, "batch_size": self.batch_size, **changed, "seed": self.seed}

    @property
    def settings(self) -> dict[str, Any]:
        """The training settings that are not at their defaults, as plain data."""
        changed: dict[str, Any] = {}
        for name, default in training_settings.DEFAULTS.items():
            value = getattr(self, name)
            if isinstance(value, Spec):
                value = value.to_dict()
            if value != default:
                changed[name] = float(value) if isinstance(default, float) else value  # 1 and 1.0 are one setting
        return changed

    @property
    def trains(self) -> bool:
        """Whether there is a step at all."""
        return bool(self.steps or self.epochs)

    @property
    def length(self) -> str:
        """How long it trains, for people: ``12,000``, or ``30 epochs``."""
        return f"{self.epochs:g} epochs" if self.epochs else f"{self.steps:,}"

    def in_steps(self, num_train: int) -> TrialConfig:
        """The same with its epochs counted in steps, one at least."""
        if not self.epochs:
            return self
        steps = max(1, round(self.epochs * steps_per_epoch(num_train, self.batch_size)))
        return replace(self, steps=steps, epochs=0.0)

    def with_batches_of(self, batch_size: int) -> TrialConfig:
        """The same with other batches, in parts of about the same size where these are not smaller."""
        part = self.batch_size // self.accumulate
        return replace(self, batch_size=batch_size, accumulate=max(1, min(self.accumulate, batch_size // part)))

    def to_json(self) -> str:
        """One line of JSON; equal configurations give equal text."""
        return json.dumps(self.to_dict(), sort_keys=True, allow_nan=False)

    @property
    def whole_task(self) -> Spec:
        """The task that all repeats share: with all of its files where they are repeats, ``file: {each: [...]}``."""
        if not self.each:
            return self.task
        return Spec(name=self.task.name, arguments={**self.task.arguments, **in_turn(self.each)})

    @property
    def task_file(self) -> str:
        """The name of the file that this repeat has, and the first digits of its digest; empty where no file is one."""
        return ", ".join(task_file_of(self.task, name) for name in self.each)

    @property
    def is_first_file(self) -> bool:
        """Whether this is the repeat with the first file, which schedulers judge."""
        return all(self.task.arguments[name] == files[0] for name, files in self.each.items())

    @property
    def config_hash(self) -> str:
        """A digest of everything but the seed and the file in turn, twelve hexadecimal digits: repeats share it."""
        content = {key: value for key, value in self.to_dict().items() if key not in ("seed", "each")}
        content["task"] = values_identity(self.whole_task.to_dict())
        if "init_from" in content:
            content["init_from"] = values_identity(content["init_from"])
        if self.modifiers:
            content["modifiers"] = {
                name: {key: values_identity(item) for key, item in settings.items()}
                for name, settings in self.modifiers.items()
            }
        return hashlib.sha256(json.dumps(in_order(content), sort_keys=True).encode()).hexdigest()[:12]


def in_turn(each: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Arguments as a sweep file has them, of files that a task has in turn."""
    return {name: {EACH: list(files)} for name, files in each.items()}


def task_file_of(task: Spec, name: str) -> str:
    """What people are shown of the file that an argument of a task names; empty where no argument is meant."""
    file = str(task.arguments[name]) if name else ""
    return pinned.short(file) or file


def is_in_turn(value: Any) -> bool:
    """Whether an argument is ``{each: [...]}``: a repeat has one of these files."""
    return isinstance(value, Mapping) and set(value) == {EACH}


def settings_text(settings: Mapping[str, Any]) -> str:
    """Training settings as people read them: ``optimiser sgd(momentum=0.9), clip 1``."""
    texts = {name: Spec.from_dict(name, one) if isinstance(one, Mapping) else one for name, one in settings.items()}
    return ", ".join(f"{name} {one:g}" if isinstance(one, float) else f"{name} {one}" for name, one in texts.items())


def in_order(content: Any) -> Any:
    """Plain data for a hash: settings by patterns, a method's ``tensors``, become lists of pairs.

    There the first pattern that fits counts, so their order means something; that of other mappings means nothing.
    """
    if isinstance(content, Mapping):
        return {key: _pairs(item) if key == "tensors" else in_order(item) for key, item in content.items()}
    return [in_order(item) for item in content] if isinstance(content, list) else content


def _pairs(settings: Any) -> Any:
    if isinstance(settings, Mapping) and all(isinstance(item, Mapping) for item in settings.values()):
        return [[pattern, item] for pattern, item in settings.items()]
    if isinstance(settings, Mapping):  # a choice of several
        return {key: _pairs(item) for key, item in settings.items()}
    return [_pairs(item) for item in settings] if isinstance(settings, list) else settings


def modifiers_from_dict(value: Any) -> dict[str, dict[str, Any]]:
    """Read settings keyed by modifier, ``{disout: {alpha: 2}, unit_sphere: true}``, where true means no settings.

    Raises:
        ValueError: ``value`` is anything else; one line says what.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"modifiers is {value!r}: wanted a mapping from names to settings, such as {{disout: true}}")
    for name, settings in value.items():
        if not isinstance(name, str) or not (settings is True or isinstance(settings, Mapping)):
            raise ValueError(
                f"modifiers has {name!r}: {settings!r}: wanted a name and its settings, such as disout: {{alpha: 2}}, "
                "or true"
            )
    return {name: {} if settings is True else dict(settings) for name, settings in value.items()}


def _short_of_files(files: Sequence[str]) -> str:
    """How many files there are, and a few digits that other files would not have; their order means nothing."""
    content = sorted(map(str, values_identity(list(files))))
    return f"{len(files)} files#{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:6]}"


def _short(value: Any) -> str:
    if is_path(value):
        return path_label(value)
    if is_in_turn(value):
        return _short_of_files(value[EACH])
    if is_aim(value):
        return aim_label(value)
    if isinstance(value, str) and (name := pinned.short(value)):
        return name
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value, separators=(",", ":"))
