"""Contexts for parts of methods that are tested without a trial."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainers.data.examples import InMemory
from trainers.methods.base import Context
from trainers.tasks.supervised import SupervisedLoss


def context_of(
    plain: nn.Module,
    inputs: Tensor | None = None,
    targets: Tensor | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
    *,
    batch_size: int = 64,
) -> Context:
    """A context with these training examples; one of nothing where none are given."""
    inputs = torch.zeros(1, 1) if inputs is None else inputs
    examples = InMemory(inputs=inputs, targets=torch.zeros(len(inputs)) if targets is None else targets)
    return Context(
        plain=plain,
        loss=SupervisedLoss(loss),
        train=examples,
        validation=examples,
        batch_size=batch_size,
        total_steps=1,
        device=torch.device("cpu"),
        validate=lambda model: 0.0,
        file_size=lambda sections: 0,
    )
