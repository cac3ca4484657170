"""The real Fourier basis is orthonormal, square, and spans what the discrete Fourier transform does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from trainers.methods.parts.fourier import real_fourier

SHAPES = [(1,), (2,), (3,), (4,), (7,), (3, 3), (5, 5), (2, 3), (4, 4), (1, 3), (2, 2, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_basis_is_square_and_orthonormal(shape: tuple[int, ...]) -> None:
    basis = real_fourier(shape)
    assert basis.shape == (math.prod(shape), math.prod(shape))
    torch.testing.assert_close(basis @ basis.T, torch.eye(math.prod(shape), dtype=torch.float64))


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8])
def test_energies_of_frequencies_are_those_of_the_complex_transform(size: int) -> None:
    """One constant, then cosine and sine of each frequency, then for even sizes the alternation."""
    signal = np.random.default_rng(size).normal(size=size)
    found = real_fourier((size,)).numpy() @ signal
    wanted = np.abs(np.fft.fft(signal, norm="ortho")) ** 2
    assert math.isclose(found[0] ** 2, wanted[0])
    for frequency in range(1, (size + 1) // 2):
        pair = found[2 * frequency - 1] ** 2 + found[2 * frequency] ** 2
        assert math.isclose(pair, 2 * wanted[frequency])
    if size % 2 == 0:
        assert math.isclose(found[-1] ** 2, wanted[size // 2])


def test_the_first_coefficient_of_a_constant_kernel_is_all_there_is() -> None:
    found = real_fourier((3, 3)) @ torch.full((9,), 2.0, dtype=torch.float64)
    torch.testing.assert_close(found, torch.tensor([6.0] + [0.0] * 8, dtype=torch.float64))
