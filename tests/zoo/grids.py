"""Networks that read grids, which a file stores point by point."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainers.networks.grid import Grid


class ReadsGrids(nn.Module):
    """A classifier of what a plane and three channels, zero at first, say of inputs beside them."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.grids = nn.ModuleList([Grid(8, num_inputs), Grid(3, 8, num_inputs)])
        self.last = nn.Linear(8, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        plane, channels = (grid() for grid in self.grids)
        output: Tensor = self.last((x.flatten(1) @ (plane + channels.sum(0)).T + 0.5).tanh())
        return output


def reads_grids(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return ReadsGrids(torch.Size(input_shape).numel(), num_outputs)
