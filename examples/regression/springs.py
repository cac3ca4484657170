"""A regression: how far a spring with friction is from rest, in centimetres; its quality is the RMSE."""

from __future__ import annotations

import torch
from torch import nn

from trainers.tasks.base import InMemory, Task, regression


def springs() -> Task:
    """From stiffness, friction and time (3,) to the distance (1,)."""
    return regression(train=_sample(2000, 0), validation=_sample(500, 1), test=_sample(500, 2), num_outputs=1)


def smooth_net(*, input_shape: tuple[int, ...], num_outputs: int, width: int = 32) -> nn.Module:
    """Two hidden layers of a smooth activation."""
    return nn.Sequential(
        nn.Linear(input_shape[0], width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, num_outputs)
    )


def _sample(num_examples: int, seed: int) -> InMemory:
    stiffness, friction, time = torch.rand(3, num_examples, generator=torch.Generator().manual_seed(seed))
    distance = 10 * (-2 * friction * time).exp() * (8 * (0.5 + stiffness) * time).cos()
    return InMemory(inputs=torch.stack([stiffness, friction, time], dim=1) * 2 - 1, targets=distance[:, None])
