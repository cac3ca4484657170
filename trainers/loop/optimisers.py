"""The optimisers of a phase: the method's own, or made anew as the trial asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from trainers.config import Spec, TrialConfig
from trainers.methods.base import Optimiser, Phase, Schedule
from trainers.methods.parts.masters import adam, with_masters
from trainers.training_settings import arguments_of, make

_CLASSES: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


def optimisers_of(phase: Phase, model: nn.Module, num_steps: int, config: TrialConfig) -> tuple[Optimiser, ...]:
    """The optimisers of a phase of ``num_steps``.

    Another optimiser keeps the learning rate of each parameter group; another schedule multiplies it. What a method
    trains beside weights keeps the method's own of both.

    Raises:
        ValueError: the trial asks for another, and the phase does not say how its optimisers are made anew.
    """
    own = phase.optimisers(model, num_steps)
    asked = [kind for kind in ("optimiser", "schedule") if getattr(config, kind) != Spec.own()]
    if not asked:
        return own
    if not any(one.weights for one in own):
        raise ValueError(
            f"{asked[0]} is {getattr(config, asked[0]).name!r}, and phase {phase.name!r} of method "
            f"{config.method.name!r} makes its optimisers by itself: leave {asked[0]} out"
        )
    return tuple(part for one in own for part in _parts(one, num_steps, config))


def _parts(own: Optimiser, num_steps: int, config: TrialConfig) -> tuple[Optimiser, ...]:
    """``own``, made anew over its weights; and what it trains beside them."""
    if not own.weights:
        return (own,)
    assert own.scheduled is not None
    optimiser = adam(own.weights)
    if config.optimiser != Spec.own():
        settings = make("optimiser", config.optimiser.name, config.optimiser.arguments)
        kind = partial(_CLASSES[config.optimiser.name], **arguments_of(settings), fused=True)
        optimiser = with_masters(kind, own.weights)
    if own.connect is not None:
        own.connect(optimiser)
    scheduled = own.scheduled if config.schedule == Spec.own() else _scheduled(config.schedule, num_steps)
    weights = Optimiser(optimiser=optimiser, schedule=scheduled(optimiser), weights=own.weights)
    if not own.beside:
        return (weights,)
    beside = adam(own.beside)
    return weights, Optimiser(optimiser=beside, schedule=own.scheduled(beside), beside=own.beside)


def _scheduled(spec: Spec, num_steps: int) -> Callable[[torch.optim.Optimizer], Schedule]:
    settings: Any = make("schedule", spec.name, spec.arguments)

    def multiplier(step: int) -> float:  # no object: a schedule would save what that holds
        return float(settings.multiplier(step, num_steps))

    return partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=multiplier)
