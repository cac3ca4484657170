"""A task from a ``torch.utils.data.Dataset`` of one's own: it may read anything, one item at a time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset

from trainers.tasks.base import Task, classification


class Bumps(Dataset[tuple[Tensor, int]]):
    """Noisy curves (1, 64) with one, two or three bumps; each is made when it is asked for."""

    def __init__(self, num_curves: int, seed: int) -> None:
        self.num_curves, self.seed = num_curves, seed

    def __len__(self) -> int:
        return self.num_curves

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        generator = torch.Generator().manual_seed(self.seed + number)
        num_bumps = number % 3
        places = torch.rand(num_bumps + 1, 1, generator=generator) / 5 + torch.arange(num_bumps + 1)[:, None] / 3 + 0.05
        curve = (-((torch.linspace(0, 1, 64) - places) ** 2) / 0.002).exp().sum(dim=0)
        return (curve + 0.5 * torch.randn(64, generator=generator)).unsqueeze(0), num_bumps


def bumps() -> Task:
    """Tell how many bumps a curve has."""
    return classification(
        train=Bumps(1500, seed=0), validation=Bumps(300, seed=10_000), test=Bumps(300, seed=20_000), num_classes=3
    )
