"""Networks whose weights are computed from other tensors, and networks of which a part is frozen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm


def _two_layers(changed: Callable[[nn.Module], nn.Module], input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    num_inputs = torch.Size(input_shape).numel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the old weight_norm is deprecated, and still in use
        return nn.Sequential(
            nn.Flatten(), changed(nn.Linear(num_inputs, 8)), nn.ReLU(), changed(nn.Linear(8, num_outputs))
        )


def weight_normed(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _two_layers(parametrizations.weight_norm, input_shape, num_outputs)


def weight_normed_of_old(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _two_layers(weight_norm, input_shape, num_outputs)


def spectral_normed(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _two_layers(parametrizations.spectral_norm, input_shape, num_outputs)


def spectral_normed_of_old(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _two_layers(spectral_norm, input_shape, num_outputs)


class Symmetric(nn.Module):
    """A parametrization of one's own."""

    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).T


def symmetric(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    num_inputs = torch.Size(input_shape).numel()
    body = nn.Linear(8, 8)
    parametrize.register_parametrization(body, "weight", Symmetric())
    return nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, 8), nn.ReLU(), body, nn.ReLU(), nn.Linear(8, num_outputs))


def frozen_backbone(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """The first layers are frozen, with a batch norm among them; the last one is trained."""
    num_inputs = torch.Size(input_shape).numel()
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, 8), nn.BatchNorm1d(8), nn.ReLU())
    head = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, num_outputs))
    return nn.Sequential(backbone.requires_grad_(False), head)


class LowRankUpdate(nn.Module):
    """Adds a product of two small matrices to a weight, as LoRA does."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(2, columns) / columns**0.5)
        self.up = nn.Parameter(torch.zeros(rows, 2))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


def frozen_base_with_update(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    num_inputs = torch.Size(input_shape).numel()
    body = nn.Linear(num_inputs, 8).requires_grad_(False)
    parametrize.register_parametrization(body, "weight", LowRankUpdate(8, num_inputs))
    return nn.Sequential(nn.Flatten(), body, nn.ReLU(), nn.Linear(8, num_outputs))
