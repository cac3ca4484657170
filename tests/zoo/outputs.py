"""Networks that return or keep more than a tensor, and networks with constants that a file does not hold."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Rotary(nn.Module):
    """Frequencies and a mask are buffers that are not persistent, as in many transformers."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(num_inputs, 8), nn.Linear(8, num_outputs)
        self.register_buffer("inv_freq", 1.0 / 10.0 ** (torch.arange(8) / 8), persistent=False)
        self.register_buffer("mask", torch.arange(8) < 6, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.last((self.first(x.flatten(1)) * self.inv_freq).cos() * self.mask)
        return output


def rotary(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Rotary(torch.Size(input_shape).numel(), num_outputs)


class KeepsLosses(nn.Module):
    """Keeps losses of its own from each training pass, as variational networks and mixtures of experts do."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(num_inputs, 8), nn.Linear(8, num_outputs)
        self.penalty: Tensor | None = None
        self.losses: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x.flatten(1)).relu()
        if self.training:
            self.penalty = hidden.square().mean()
            self.losses = [hidden.abs().mean()]
        output: Tensor = self.last(hidden)
        return output


def keeps_losses(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return KeepsLosses(torch.Size(input_shape).numel(), num_outputs)
