"""Training for the task alone, which methods that compress afterwards begin with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from trainers.data.examples import Batch
from trainers.methods.base import Context, Groups, Moment, Optimiser, Phase, Schedule
from trainers.methods.parts.masters import adam


def plain_phase(learning_rate: float) -> Phase:
    """A phase with Adam (Kingma and Ba 2015) and a cosine schedule to zero.

    Its rate is a constant, so no trial is stopped on it.
    """

    def loss(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
        return context.loss(model, batch)

    def optimisers(model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        return (adam_cosine([{"params": list(model.parameters()), "lr": learning_rate}], num_steps),)

    return Phase(name="train", loss=loss, optimisers=optimisers, rate_comparable=False)


def adam_cosine(
    groups: Groups,
    num_steps: int,
    *,
    beside: Groups = (),
    connect: Callable[[torch.optim.Optimizer], None] | None = None,
) -> Optimiser:
    """Adam over parameter groups with a learning rate each, all of which fall to zero along a cosine.

    Args:
        groups: weights, biases and norms, or what stands for them.
        num_steps: of the phase.
        beside: what is trained beside these.
        connect: see ``Optimiser``.
    """
    cosine = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=num_steps)
    return scheduled_adam(groups, cosine, beside=beside, connect=connect)


def scheduled_adam(
    groups: Groups,
    scheduled: Callable[[torch.optim.Optimizer], Schedule],
    *,
    beside: Groups = (),
    connect: Callable[[torch.optim.Optimizer], None] | None = None,
) -> Optimiser:
    """Adam as ``adam_cosine``, with the schedule that ``scheduled`` makes."""
    optimiser = adam([*groups, *beside])
    if connect is not None:
        connect(optimiser)
    return Optimiser(
        optimiser=optimiser,
        schedule=scheduled(optimiser),
        weights=groups,
        beside=beside,
        scheduled=scheduled,
        connect=connect,
    )
