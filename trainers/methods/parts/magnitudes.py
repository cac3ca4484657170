"""Root mean squares of tensors of any size and any numbers, computed in float64, some values at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

_AT_ONCE = 1 << 22
"""The most values that are computed with at once, in float64."""


def pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield copies of the values of contiguous tensors in float64, some at a time."""
    flat = [tensor.reshape(-1) for tensor in tensors]
    for begin in range(0, len(flat[0]), _AT_ONCE):
        yield tuple(one[begin : begin + _AT_ONCE].to(torch.float64, copy=True) for one in flat)


def root_mean_square(tensor: Tensor, other: Tensor | None = None) -> float:
    """That of a tensor, or of its difference from another one, whatever its numbers."""
    sums = [0.0]
    largest = max(float(tensor.abs().max()), 0.0 if other is None else float(other.abs().max()))
    if not largest:
        return 0.0
    for values in pieces(*(tensor, *(() if other is None else (other,)))):
        values[0].div_(largest)
        if other is not None:
            values[0].sub_(values[1].div_(largest))
        sums.append(float(values[0].square_().sum()))
    return largest * math.sqrt(math.fsum(sums) / tensor.numel())


def together(sizes: Iterable[float], numbers: Iterable[int]) -> float:
    """The root mean square of several tensors from that of each and their numbers of values; 0 without any."""
    sizes, numbers = list(sizes), list(numbers)
    largest = max(sizes, default=0.0)
    if not largest:
        return 0.0
    return largest * math.sqrt(
        math.fsum(number * (size / largest) ** 2 for size, number in zip(sizes, numbers, strict=True)) / sum(numbers)
    )
