"""Networks whose values are no ordinary floats: of other dtypes, tiny, huge, far apart, or none at all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Cast(nn.Module):
    """Casts what it is given."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)


def _normed(dtype: torch.dtype, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """A convolution, a norm and a linear layer of a dtype, for inputs of float32; the last layer is float32."""
    channels, height, width = input_shape
    body = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    body.append(nn.Linear(4 * height * width, 6))
    return nn.Sequential(Cast(dtype), *body.to(dtype), Cast(torch.float32), nn.Linear(6, num_outputs))


def in_bfloat16(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _normed(torch.bfloat16, input_shape, num_outputs)


def in_float16(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _normed(torch.float16, input_shape, num_outputs)


def in_float64(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _normed(torch.float64, input_shape, num_outputs)


class Indexed(nn.Module):
    """Parameters that are no floats: the order of the inputs, which of them count, and a table of whole numbers."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.order = nn.Parameter(torch.arange(num_inputs).flip(0), requires_grad=False)
        self.mask = nn.Parameter(torch.arange(num_inputs) % 5 != 0, requires_grad=False)
        self.table = nn.Parameter(torch.arange(2 * num_inputs, dtype=torch.int32).view(2, -1) % 7, requires_grad=False)
        self.bytes = nn.Parameter(torch.tensor([255], dtype=torch.uint8), requires_grad=False)
        self.body = nn.Sequential(nn.Linear(num_inputs, 8), nn.ReLU(), nn.Linear(8, num_outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)[:, self.order] * self.mask
        output: Tensor = self.body(x * self.table.sum(0) / self.bytes * 50)
        return output


def indexed(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Indexed(torch.Size(input_shape).numel(), num_outputs)


class Rescaled(nn.Module):
    """A network with two layers of enormous or tiny weights, whose outputs are brought back."""

    def __init__(
        self, num_inputs: int, num_outputs: int, factors: tuple[float, float], *, is_frozen: bool, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.first = nn.Linear(num_inputs, 8, dtype=dtype)
        self.second = nn.Linear(8, 8, dtype=dtype)
        self.last = nn.Linear(8, num_outputs)
        self.factors = factors
        for layer, factor in zip((self.first, self.second), factors, strict=True):
            layer.requires_grad_(not is_frozen)
            with torch.no_grad():
                layer.weight.mul_(factor)
                layer.bias.mul_(factor)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.flatten(1).to(self.first.weight.dtype)) / self.factors[0]
        x = self.second(x.relu()) / self.factors[1]
        output: Tensor = self.last(x.relu().float())
        return output


def _rescaled(
    factors: tuple[float, float],
    input_shape: Sequence[int],
    num_outputs: int,
    *,
    is_frozen: bool = True,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    num_inputs = torch.Size(input_shape).numel()
    return Rescaled(num_inputs, num_outputs, factors, is_frozen=is_frozen, dtype=dtype)


def tiny_weights(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _rescaled((1e-8, 1e-8), input_shape, num_outputs)


def tiny_weights_that_are_trained(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _rescaled((1e-8, 1e-8), input_shape, num_outputs, is_frozen=False)


def tiny_and_huge_weights(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _rescaled((1e-30, 1e9), input_shape, num_outputs)


def weights_beyond_float32(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return _rescaled((1e60, 1e-60), input_shape, num_outputs, dtype=torch.float64)


class Constants(nn.Module):
    """Frozen constants of any size, beside layers as usual."""

    def __init__(self, num_inputs: int, num_outputs: int, constants: Sequence[tuple[Tensor, float]]) -> None:
        """``constants``: each with the size by which it is divided."""
        super().__init__()
        self.constants = nn.ParameterList(nn.Parameter(one, requires_grad=False) for one, _ in constants)
        self.sizes = [size for _, size in constants]
        self.body = nn.Sequential(nn.Linear(num_inputs, 8), nn.ReLU(), nn.Linear(8, num_outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for constant, size in zip(self.constants, self.sizes, strict=True):
            x = x * (constant / size).mean().float()
        output: Tensor = self.body(x)
        return output


def constants(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    large = [(torch.tensor(3e7), 3e7), (torch.full((2, 3), 3e7), 3e7), (torch.tensor([1e30, 2e30]), 1e30)]
    ends = [(torch.tensor([[size, 1.5 * size]], dtype=torch.float64), size) for size in (1e300, 1e-300, 1e150)]
    return Constants(torch.Size(input_shape).numel(), num_outputs, [*large, *ends])


class Scaled(nn.Module):
    """Scales and shifts its inputs, as data in odd units comes."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x + self.shift)


def huge_inputs(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    num_inputs = torch.Size(input_shape).numel()
    first = nn.Sequential(nn.Linear(num_inputs, 8), nn.BatchNorm1d(8), nn.ReLU())
    second = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
    return nn.Sequential(nn.Flatten(), Scaled(1e9, 0.0), *first, *second, nn.Linear(8, num_outputs))


def inputs_far_from_zero(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """The means of the inputs are a thousand times their deviations, which a batch norm takes away."""
    num_inputs = torch.Size(input_shape).numel()
    layers = nn.Sequential(nn.Linear(num_inputs, 8), nn.ReLU(), nn.Linear(8, num_outputs))
    return nn.Sequential(nn.Flatten(), Scaled(1.0, 1000.0), nn.BatchNorm1d(num_inputs, momentum=1.0), *layers)


class Empty(nn.Module):
    """Parameters without elements, a layer without outputs, a scalar, and a weight of one value."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(0))
        self.no_rows = nn.Parameter(torch.zeros(0, 3))
        self.no_columns = nn.Parameter(torch.zeros(3, 0))
        self.scalar = nn.Parameter(torch.tensor(0.7))
        self.one = nn.Parameter(torch.tensor([[0.3]]))
        self.body = nn.Sequential(nn.Linear(num_inputs, 8), nn.ReLU(), nn.Linear(8, num_outputs))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1) * self.scalar + self.one
        output: Tensor = self.body(x) + self.nothing.sum() + self.no_rows.sum() + self.no_columns.sum()
        return output


def without_elements(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    return Empty(torch.Size(input_shape).numel(), num_outputs)
