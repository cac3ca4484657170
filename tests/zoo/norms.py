"""Networks whose batch norms are not what they seem."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class OffsetNorm(nn.BatchNorm1d):
    """A norm that scales by its weight plus one."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        nn.init.zeros_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        momentum = 0.1 if self.training else 0.0
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight + 1, self.bias, self.training, momentum, self.eps
        )


class ActivatedNorm(nn.BatchNorm1d):
    """A subclass that computes as its parent does, and then an activation: it may be folded."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).relu()


def _between(norm: nn.Module, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    num_inputs = torch.Size(input_shape).numel()
    return nn.Sequential(nn.Flatten(), nn.Linear(num_inputs, 8), norm, nn.ReLU(), nn.Linear(8, num_outputs))


def offset_norm(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _between(OffsetNorm(8), input_shape, num_outputs)


def activated_norm(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _between(ActivatedNorm(8), input_shape, num_outputs)


def norm_without_affine(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _between(nn.BatchNorm1d(8, affine=False), input_shape, num_outputs)


def norm_without_statistics(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _between(nn.BatchNorm1d(8, track_running_stats=False), input_shape, num_outputs)


class ReadsStatistics(nn.Module):
    """A network that uses a norm's running mean itself, beside the norm."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_inputs, 8)
        self.bn = nn.BatchNorm1d(8)
        self.last = nn.Linear(8, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.flatten(1))
        assert self.bn.running_mean is not None
        output: Tensor = self.last((self.bn(x) + x - self.bn.running_mean.detach().clone()).relu())
        return output


def reads_statistics(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return ReadsStatistics(torch.Size(input_shape).numel(), num_outputs)


class FunctionalNorm(nn.Module):
    """A network that never calls its norm: it hands the norm's tensors to the function, and leaves the scale out."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_inputs, 8)
        self.bn = nn.BatchNorm1d(8)
        self.last = nn.Linear(8, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.batch_norm(self.first(x.flatten(1)), self.bn.running_mean, self.bn.running_var, None, self.bn.bias,
                         self.training)  # fmt: skip
        output: Tensor = self.last(x.relu())
        return output


def functional_norm(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return FunctionalNorm(torch.Size(input_shape).numel(), num_outputs)


class KeywordNorm(nn.BatchNorm1d):
    """A norm whose input has another name, and which is told more than its input."""

    def forward(self, x: Tensor, extra: float = 0.0) -> Tensor:  # type: ignore[override]
        return super().forward(x) * (1 + extra)


class Routed(nn.Module):
    """Uses a norm that scales by its weight plus one for examples with a large first input, which are rare."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_inputs, 8)
        self.common, self.rare, self.told = nn.BatchNorm1d(8), OffsetNorm(8), KeywordNorm(8)
        self.last = nn.Linear(8, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        is_rare, features = x[:, 0] > 2.0, self.first(x)
        chosen = self.rare(features) if is_rare.any() else features
        mixed = torch.where(is_rare[:, None], chosen, self.common(features))
        output: Tensor = self.last(self.told(x=mixed, extra=1.0).relu())
        return output


def seldom_normed(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Routed(torch.Size(input_shape).numel(), num_outputs)


def empty_batch_norm(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """Its norm is given no examples at all in evaluation."""
    return Emptied(torch.Size(input_shape).numel(), num_outputs)


class Emptied(nn.Module):
    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(num_inputs, 8), OffsetNorm(8)
        self.last = nn.Linear(8, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.flatten(1))
        normed = self.norm(x if self.training else x[:0])
        output: Tensor = self.last(x.relu() + normed.sum())
        return output


class PerDomain(nn.Module):
    """Two norms with statistics of their own and one scale and shift, as for two domains."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(num_inputs, 8), nn.Linear(8, num_outputs)
        self.norms = nn.ModuleList([nn.BatchNorm1d(8), nn.BatchNorm1d(8)])
        self.norms[1].weight, self.norms[1].bias = self.norms[0].weight, self.norms[0].bias

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.flatten(1))
        output: Tensor = self.last((self.norms[0](x) + self.norms[1](3 * x + 1)).relu())
        return output


def per_domain(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return PerDomain(torch.Size(input_shape).numel(), num_outputs)


def norm_without_bias(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    norm = nn.BatchNorm1d(8)
    norm.bias = None  # type: ignore[assignment]
    return _between(norm, input_shape, num_outputs)


class FrozenNorm(nn.BatchNorm1d):
    """A norm that keeps the statistics it came with while the network trains."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            self.running_mean += 0.5
            self.running_var *= 0.1

    def train(self, mode: bool = True) -> FrozenNorm:
        return super().train(False)


def frozen_norm(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _between(FrozenNorm(8), input_shape, num_outputs)
