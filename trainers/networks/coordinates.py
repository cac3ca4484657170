"""Where the samples of a signal lie: what a network that represents one is asked with."""

from __future__ import annotations

import torch
from torch import Tensor


def grid(height: int, width: int) -> Tensor:
    """The places (height, width, 2) of an image's pixels: row and column, from -1 to 1 at the outermost pixels."""
    rows, columns = (torch.linspace(-1, 1, side) if side > 1 else torch.zeros(1) for side in (height, width))
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)
