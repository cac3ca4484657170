"""Latent grids of several resolutions, and a small network that makes colours of them: it represents one image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers import checks
from trainers.networks.grid import Grid

_AT_ONCE = 1 << 14
"""So many pixels are mixed at once that what is made of them stays in the processor's cache."""
_OPEN = (0.1, 0.5)
"""The first biases of hidden units. Grids begin at zero: where a unit is shut there, no gradient passes it."""


def grids(*, size: Sequence[int], num_outputs: int = 3, levels: int = 7, width: int = 16, depth: int = 1) -> nn.Module:
    """``levels`` grids, each half as fine as the one before, and a network that mixes their values at each pixel.

    All pixels are computed together, from places (n, height, width, 2) to colours (n, height, width, num_outputs). The
    places are known, and only their shape is looked at: the n images are one. The idea is COOL-CHIC's. There is no
    entropy model: the adaptive coder finds what neighbours tell of each other.

    Args:
        size: the image's height and width; the first grid has these.
        num_outputs: the channels.
        levels: how many grids; the last is 2 ** (levels - 1) times coarser than the image.
        width: units of each hidden layer.
        depth: hidden layers.

    References:
        Ladune, Philippe, Henry, Clare, Leguay 2023, "COOL-CHIC: Coordinate-based Low Complexity Hierarchical Image
        Codec", arXiv 2212.05458.
    """
    checks.integers("size", size, low=1, high=1 << 16, max_length=2)
    if len(size) != 2:
        raise ValueError(f"size is {list(size)}: wanted (height, width)")
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 10)
    checks.integer("levels", levels, low=1, high=16)
    checks.integer("width", width, low=1, high=1 << 10)
    checks.integer("depth", depth, low=1, high=16)
    return Grids((size[0], size[1]), num_outputs, levels, width, depth)


class Grids(nn.Module):
    """See ``grids``. Colours are around one half where nothing is learned."""

    def __init__(self, size: tuple[int, int], num_outputs: int, levels: int, width: int, depth: int) -> None:
        super().__init__()
        self.size = size
        self.grids = nn.ModuleList(Grid(*(-(-side // 2**level) for side in size)) for level in range(levels))
        widths = [levels, *[width] * depth, num_outputs]
        layers = [nn.Linear(widths[i], widths[i + 1]) for i in range(depth + 1)]
        self.layers = nn.ModuleList(layers)
        for index, layer in enumerate(layers):
            is_head = index == depth
            bound = math.sqrt((3 if is_head else 6) / layer.in_features)
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.uniform_(layer.bias, *((0.5, 0.5) if is_head else _OPEN))

    def forward(self, places: Tensor) -> Tensor:
        if places.shape[1:] != (*self.size, 2):
            raise ValueError(
                f"grids is asked for places of shape {tuple(places.shape)}: it computes the whole image at once, and "
                f"wants {(1, *self.size, 2)}, as the task image gives with 'whole: true'"
            )
        parts = torch.split(self._upsampled().flatten(1), _AT_ONCE, dim=1)
        colours = torch.cat([self._colours(part) for part in parts], dim=1).T
        return colours.reshape(1, *self.size, -1).expand(len(places), -1, -1, -1)

    def _upsampled(self) -> Tensor:
        """The values of all grids at each pixel (levels, height, width), from the coarsest grid up."""
        *finer, coarsest = (grid() for grid in self.grids)
        values: Tensor = coarsest[None]
        for grid in reversed(finer):
            values = torch.cat([grid[None], F.interpolate(values[None], grid.shape, mode="bilinear")[0]])
        return values

    def _colours(self, values: Tensor) -> Tensor:
        """(num_outputs, n) of values (levels, n). Pixels lie along the rows: layers of so few units are fastest so."""
        hidden = values
        for index, layer in enumerate(cast(Iterable[nn.Linear], self.layers)):
            if index:
                hidden = torch.relu_(hidden)
            hidden = (layer.weight @ hidden).add_(layer.bias[:, None])
        return hidden
