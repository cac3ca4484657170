"""SIREN: a network of sine layers that represents an image by its coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainers import checks


def siren(
    *, size: Sequence[int], num_outputs: int = 3, depth: int = 5, width: int = 20, frequency: float = 30.0
) -> nn.Module:
    """``depth`` sine layers of ``width`` units, and a linear one, from places (..., 2) to colours (..., num_outputs).

    With 5 x 20, 5 x 30, 10 x 28, 10 x 40 and 13 x 49 these are the networks of COIN.

    Args:
        size: the image's height and width, which a file needs to be drawn; the network computes without it.
        num_outputs: the channels.
        depth: sine layers.
        width: units of each.
        frequency: w in sin(w x).

    References:
        Sitzmann, Martel, Bergman, Lindell, Wetzstein 2020, "Implicit Neural Representations with Periodic Activation
        Functions", arXiv 2006.09661, section 3.2 for the initial values.
        Dupont, Golinski, Alizadeh, Teh, Doucet 2021, "COIN: COmpression with Implicit Neural representations",
        arXiv 2103.03123.
    """
    checks.integers("size", size, low=1, high=1 << 16, max_length=2)
    if len(size) != 2:
        raise ValueError(f"size is {list(size)}: wanted (height, width)")
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 10)
    checks.integer("depth", depth, low=1, high=64)
    checks.integer("width", width, low=1, high=1 << 12)
    checks.number("frequency", frequency, low=0, above=True)
    return Siren(num_outputs, depth, width, frequency)


class Siren(nn.Module):
    """See ``siren``. Colours are around one half where nothing is learned."""

    def __init__(self, num_outputs: int, depth: int, width: int, frequency: float) -> None:
        super().__init__()
        self.frequency = frequency
        widths = [2, *[width] * depth]
        self.layers = nn.ModuleList(nn.Linear(widths[i], widths[i + 1]) for i in range(depth))
        self.head = nn.Linear(width, num_outputs)
        for index, layer in enumerate([*self.layers, self.head]):
            num_in = layer.in_features
            bound = math.sqrt(6 / num_in) / frequency if index else 1 / num_in
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, places: Tensor) -> Tensor:
        hidden = places
        for layer in self.layers:
            hidden = torch.sin(self.frequency * layer(hidden))
        colours: Tensor = self.head(hidden) + 0.5
        return colours
