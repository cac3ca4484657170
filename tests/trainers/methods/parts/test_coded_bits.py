"""What the coder takes for each weight: the bits of a tensor add up to those of its coded form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainers.coding.forms import Form
from trainers.coding.model import Model
from trainers.methods.parts.coded_bits import MOST_MAGNITUDE, coded_bits, layer_bits


def whole_numbers(*shape: int, spread: float = 1.0) -> Tensor:
    """Integers whose rows differ in how large they are."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.linspace(0.05, 2, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return (spread * rows * torch.randn(shape, generator=generator)).round()


@pytest.mark.parametrize("shape", [(20, 30), (8, 6, 3, 3), (40, 5, 3)])
def test_the_bits_of_a_tensors_own_magnitudes_are_those_that_coding_it_again_takes(shape: tuple[int, ...]) -> None:
    whole = whole_numbers(*shape)
    found = coded_bits(whole)
    assert found.shape == (int(whole.abs().max()) + 2, *shape)
    model, matrix = Model(), whole.flatten(1).numpy().astype(np.int32)
    model.note(matrix, Form().shape(shape))
    notes = model.note(matrix, Form().shape(shape))
    own = found.gather(0, whole.abs().long().unsqueeze(0))
    assert float(own.double().sum()) == pytest.approx(notes.information_bits(), rel=1e-5)


def test_a_large_magnitude_costs_less_where_others_are_large() -> None:
    found = coded_bits(whole_numbers(40, 60))
    small, large = found[2, :10].mean(), found[2, -10:].mean()
    assert small > large + 2
    assert found[0, :10].mean() < found[0, -10:].mean() - 1


def test_magnitudes_beyond_the_unary_code_cost_as_much_as_its_last() -> None:
    found = coded_bits(whole_numbers(10, 30, spread=40.0))
    assert len(found) == 1 + MOST_MAGNITUDE
    assert found.isfinite().all()


@pytest.mark.parametrize("whole", [torch.zeros(4, 5), torch.ones(1, 1)])
def test_few_or_no_values_have_finite_bits(whole: Tensor) -> None:
    found = coded_bits(whole)
    assert found.isfinite().all()
    assert (found[1:] > found[:1]).all() or whole.any()


def test_the_bits_of_a_layer_lie_as_its_matrix() -> None:
    layer = nn.ConvTranspose2d(6, 4, 3, groups=2)
    whole = whole_numbers(4, 27)
    found = layer_bits(layer, whole, layer.weight)
    assert found.shape[1:] == whole.shape
    apart = coded_bits(whole.reshape(2, 2, 3, 3, 3).transpose(1, 2).reshape(6, 2, 3, 3))
    assert torch.equal(found, apart.reshape(-1, 2, 3, 2, 9).transpose(2, 3).reshape(-1, 4, 27))
