"""Networks whose tensors start at scales that differ, at zero, or at one value: a common coarse step loses them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """Reads symbols, each the sign of a pixel and its size, through an embedding of scale 1 and a small GRU."""

    def __init__(self, num_outputs: int, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(8, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        symbols = (x.flatten(1) * 2 + 4).long().clamp(0, 7)
        y: Tensor = self.head(self.rnn(self.embed(symbols))[0][:, -1])
        return y


class Sine(nn.Module):
    """The sine of ``omega`` times its input (Sitzmann et al. 2020, arXiv 2006.09661)."""

    def __init__(self, omega: float) -> None:
        super().__init__()
        self.omega = omega

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.omega * x)


class Gained(nn.Module):
    """Layers with gains that all start at one value, as in a norm of one's own, and one gain for the whole network."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(num_inputs, 8), nn.Linear(8, num_outputs)
        self.gain = nn.Parameter(torch.ones(8))
        self.mix = nn.Parameter(torch.full((8, 8), 0.3))
        self.temperature = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x.flatten(1)).relu()
        hidden = hidden / (hidden.square().mean(dim=1, keepdim=True) + 1e-3).sqrt() * self.gain
        y: Tensor = self.last(hidden + hidden @ self.mix) * self.temperature
        return y


class Branched(nn.Module):
    """A residual branch whose last layer starts at exactly zero, weight and bias."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.enter = nn.Linear(num_inputs, 8)
        self.branch = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        self.head = nn.Linear(8, num_outputs)
        nn.init.zeros_(self.branch[2].weight)
        nn.init.zeros_(self.branch[2].bias)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.enter(x.flatten(1)).relu()
        y: Tensor = self.head(hidden + self.branch(hidden))
        return y


def recurrent(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Recurrent(num_outputs)


def siren(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Sine layers of frequency 2, with their own initial ranges."""
    widths, omega = [torch.Size(input_shape).numel(), 8, 8], 2.0
    layers: list[nn.Module] = [nn.Flatten()]
    for index in range(2):
        linear = nn.Linear(widths[index], widths[index + 1])
        bound = 1 / widths[0] if index == 0 else math.sqrt(6 / widths[index]) / omega
        nn.init.uniform_(linear.weight, -bound, bound)
        layers += [linear, Sine(omega)]
    return nn.Sequential(*layers, nn.Linear(8, num_outputs))


def gained(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Gained(torch.Size(input_shape).numel(), num_outputs)


def branched(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Branched(torch.Size(input_shape).numel(), num_outputs)
