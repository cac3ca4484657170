"""What a trial may ask of any method's training: its optimiser, its schedule of learning rates, and four numbers.

Each setting has a default at which a training is what it was before there was the setting.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainers import checks
from trainers.echo import echo
from trainers.lookup import check_complete, find

OWN = "own"
"""The optimiser or schedule that the method has of its own."""


@dataclass(frozen=True, kw_only=True)
class Own:
    """The method's own."""


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam (Kingma and Ba 2015); a decay is added to gradients."""

    betas: Sequence[float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.betas, list | tuple) or len(self.betas) != 2:
            raise ValueError(f"betas is {echo(self.betas)}: wanted two numbers, such as [0.9, 0.999]")
        for index, beta in enumerate(self.betas):
            _share_below_one(f"betas[{index}]", beta)
        checks.number("eps", self.eps, low=0, above=True)
        checks.number("weight_decay", self.weight_decay, low=0)


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with a decay of its own, apart from gradients (Loshchilov and Hutter 2019)."""

    weight_decay: float = 0.01


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Stochastic gradient descent; a decay is added to gradients."""

    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _share_below_one("momentum", self.momentum)
        checks.boolean("nesterov", self.nesterov)
        checks.number("weight_decay", self.weight_decay, low=0)
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov is true and momentum is 0: wanted a momentum, or nesterov: false")


OPTIMISERS: dict[str, type[Any]] = {OWN: Own, "adam": Adam, "adamw": AdamW, "sgd": SGD}


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The learning rate as it is, after a linear rise."""

    warmup: float = 0.0
    """The share of a phase's steps in which the learning rate rises from zero."""

    def __post_init__(self) -> None:
        _share_below_one("warmup", self.warmup)

    def multiplier(self, step: int, num_steps: int) -> float:
        """What learning rates are multiplied with at ``step``, counted from 0 over a phase of ``num_steps``."""
        rising = round(self.warmup * num_steps)
        if step < rising:
            return (step + 1) / (rising + 1)
        return self._after((step - rising) / max(1, num_steps - rising), step / max(1, num_steps))

    def _after(self, progress: float, whole: float) -> float:
        """The multiplier after the rise, at shares of the steps after it, and of all."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Cosine(Constant):
    """Along half a cosine, after a linear rise."""

    final: float = 0.0
    """The share of the learning rate that is left at the end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("final", self.final, low=0, high=1)

    def _after(self, progress: float, whole: float) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True, kw_only=True)
class Linear(Cosine):
    """Along a straight line, after a linear rise."""

    def _after(self, progress: float, whole: float) -> float:
        return 1 - (1 - self.final) * progress


@dataclass(frozen=True, kw_only=True)
class Step(Constant):
    """Multiplied by a factor at each milestone, after a linear rise."""

    milestones: Sequence[float] = (0.5, 0.75)
    """Shares of a phase's steps."""
    factor: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.milestones, list | tuple):
            raise ValueError(f"milestones is {echo(self.milestones)}: wanted a list of shares, such as [0.5, 0.75]")
        for index, share in enumerate(self.milestones):
            checks.number(f"milestones[{index}]", share, low=0, high=1)
        checks.number("factor", self.factor, low=0, high=1, above=True)

    def _after(self, progress: float, whole: float) -> float:
        return float(self.factor ** sum(whole >= milestone for milestone in self.milestones))


SCHEDULES: dict[str, type[Any]] = {OWN: Own, "constant": Constant, "cosine": Cosine, "linear": Linear, "step": Step}

NAMED: dict[str, Mapping[str, type[Any]]] = {"optimiser": OPTIMISERS, "schedule": SCHEDULES}
"""The settings that are a name with arguments, and what the names mean."""

PRECISIONS = ("float32", "bfloat16", "float16")


def _precision(value: Any) -> None:
    checks.choice("precision", value, PRECISIONS)


def _clip(value: Any) -> None:
    checks.number("clip", value, low=0)


def _ema(value: Any) -> None:
    _share_below_one("ema", value)


def _accumulate(value: Any) -> None:
    checks.integer("accumulate", value, low=1)


def _epochs(value: Any) -> None:
    checks.number("epochs", value, low=0)


def _validate_examples(value: Any) -> None:
    checks.integer("validate_examples", value, low=0)


PLAIN: dict[str, Callable[[Any], None]] = {
    "precision": _precision,
    "clip": _clip,
    "ema": _ema,
    "accumulate": _accumulate,
    "epochs": _epochs,
    "validate_examples": _validate_examples,
}
"""The settings that are one value, and the check of each."""

DEFAULTS: dict[str, Any] = {
    "optimiser": {"name": OWN},
    "schedule": {"name": OWN},
    "precision": "float32",
    "clip": 0.0,
    "ema": 0.0,
    "accumulate": 1,
    "epochs": 0.0,
    "validate_examples": 0,
}
"""Every setting as plain data, in the order in which they are shown; at these a trial does not mention them."""


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """The batches of one epoch; the last, partial one is left out."""
    return max(1, num_examples // batch_size)


def make(kind: str, name: str, arguments: Mapping[str, Any]) -> Any:
    """Make an optimiser's or a schedule's settings; ``kind`` is a key of ``NAMED``.

    Raises:
        ValueError: the name, an argument or a value is wrong; one line says which.
    """
    found = find(kind, name, NAMED[kind])
    check_complete(kind, name, found, arguments)
    try:
        return found(**arguments)
    except ValueError as error:
        raise ValueError(f"{kind} {name!r}: {error}") from error


def arguments_of(made: Any) -> dict[str, Any]:
    """The arguments of an optimiser's settings, as torch takes them."""
    return {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}


def _share_below_one(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} is {echo(value)}: wanted a number of at least 0 and below 1")
