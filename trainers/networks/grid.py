"""Grids of parameters, such as the latents of a picture: modules that say how their values lie."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers import checks

STEP = 1 / 16
"""Where values of grids are first rounded to: they begin at zero, and so say nothing of their scale."""
LEARNING_RATE = STEP / 12
"""A value moves by so much in a step of Adam: in rounded units a twelfth, since most of them have few levels."""


class Grid(nn.Module):
    """One parameter, ``values``, that lies on a plane: each value is like those above it and beside it.

    A file may store it point by point (docs/rfz.md, grids), where other tensors are matrices. It begins with zeros, so
    that what reads it must let gradients through there.
    """

    def __init__(self, *shape: int) -> None:
        """``shape``: height and width, or channels, height and width."""
        super().__init__()
        if len(shape) not in (2, 3):
            raise ValueError(f"a grid has shape {shape}: wanted height and width, or channels, height and width")
        for name, side in zip(("channels", "height", "width")[-len(shape) :], shape, strict=True):
            checks.integer(name, side, low=1)
        self.values = nn.Parameter(torch.zeros(shape))

    def forward(self) -> Tensor:
        return self.values


def grids(network: nn.Module) -> set[str]:
    """The names, in the ``state_dict``, of the values of all grids of a network."""
    found = network.named_modules(remove_duplicate=False)
    return {f"{name}.values" if name else "values" for name, module in found if isinstance(module, Grid)}
