"""A task and an architecture of one's own: all that ratefront needs to know of them is in this file."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from trainers.tasks.base import InMemory, Task, classification


def moons(*, noise: float = 0.2) -> Task:
    """Two interleaved half circles in the plane; 600 training, 300 validation and 1,000 test points."""
    return classification(
        train=_sample(600, noise, seed=0),
        validation=_sample(300, noise, seed=1),
        test=_sample(1000, noise, seed=2),
        num_classes=2,
    )


def residual_net(*, input_shape: tuple[int, ...], num_outputs: int, width: int = 32) -> nn.Module:
    """A small network with a residual connection and batch norm.

    An architecture is a function of keyword arguments. It is given those of ``input_shape`` and ``num_outputs`` that
    it asks for; the rest come from the sweep file.
    """
    return nn.Sequential(nn.Linear(input_shape[0], width), Residual(width), nn.Linear(width, num_outputs))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def _sample(num_points: int, noise: float, *, seed: int) -> InMemory:
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 2, num_points)
    angle = generator.uniform(0, np.pi, num_points)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.where(label[:, None] == 0, upper, lower) + generator.normal(0, noise, (num_points, 2))
    return InMemory(inputs=torch.tensor(points, dtype=torch.float32), targets=torch.tensor(label))
