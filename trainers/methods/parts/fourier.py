"""The orthonormal real Fourier basis of a convolution kernel."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor


@functools.cache
def real_fourier(shape: tuple[int, ...]) -> Tensor:
    """The orthonormal real discrete Fourier basis of arrays of ``shape``: float64 (coefficients, positions), square.

    It is the product over the axes of bases of 1, cos and sin. It has exactly as many coefficients as positions; the
    half-complex transform of k positions would store up to a share of 2 / k more.
    """
    basis = torch.ones(1, 1, dtype=torch.float64)
    for size in shape:
        angles = 2 * math.pi / size * torch.arange(size, dtype=torch.float64)
        rows = [torch.full((size,), math.sqrt(1 / size), dtype=torch.float64)]
        for frequency in range(1, (size + 1) // 2):
            rows += [math.sqrt(2 / size) * torch.cos(frequency * angles)]
            rows += [math.sqrt(2 / size) * torch.sin(frequency * angles)]
        if size % 2 == 0:
            rows.append(math.sqrt(1 / size) * torch.cos(size / 2 * angles))
        basis = torch.kron(basis, torch.stack(rows))
    return basis
