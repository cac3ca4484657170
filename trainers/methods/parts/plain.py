"""Training for the task alone, which methods that compress afterwards begin with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.methods.base import Batch, Context, Moment, Optimiser, Phase
from trainers.methods.parts.masters import adam


def plain_phase(learning_rate: float) -> Phase:
    """A phase with Adam (Kingma and Ba 2015) and a cosine schedule to zero.

    Its rate is a constant, so no trial is stopped on it.
    """

    def loss(model: nn.Module, batch: Batch, context: Context, moment: Moment) -> Tensor:
        inputs, targets = batch
        return context.loss(model(inputs), targets)

    def optimisers(model: nn.Module, num_steps: int) -> tuple[Optimiser, ...]:
        return (adam_cosine([{"params": list(model.parameters()), "lr": learning_rate}], num_steps),)

    return Phase(name="train", loss=loss, optimisers=optimisers, rate_comparable=False)


def adam_cosine(groups: list[dict[str, object]], num_steps: int) -> Optimiser:
    """Adam over parameter groups with a learning rate each, all of which fall to zero along a cosine."""
    optimiser = adam(groups)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=num_steps)
    return Optimiser(optimiser=optimiser, schedule=schedule)
