"""What post-training quantisation promises beyond the contract of all methods."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tests.trainers.trials import attach, configuration
from trainers.coding import container
from trainers.coding.sections import Integers, Raw
from trainers.methods.ptq import least_squares_step


def error_of(tensor: torch.Tensor, step: float, bits: int) -> float:
    most = 2 ** (bits - 1) - 1
    return float((((tensor / step).round().clamp(-most, most) * step - tensor) ** 2).sum())


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_step_is_as_good_as_that_of_a_fine_search(bits: int, seed: int) -> None:
    tensor = torch.randn(600, generator=torch.Generator().manual_seed(seed))
    found = error_of(tensor, least_squares_step(tensor, bits), bits)
    largest = float(tensor.abs().max()) / (2 ** (bits - 1) - 1)
    best = min(error_of(tensor, float(step), bits) for step in np.linspace(1e-3, 1.2, 2000) * largest)
    assert found <= 1.03 * best
    assert found <= error_of(tensor, float(np.float16(largest)), bits) * (1 + 1e-6), "no worse than clamping nothing"


@pytest.mark.parametrize("value", [1e-9, 1e-6, 1.0, 1e4])
def test_the_step_is_exact_in_float16_and_positive(value: float) -> None:
    step = least_squares_step(torch.tensor([value, -value / 3]), 4)
    assert step > 0
    assert float(np.float16(step)) == step


def test_an_all_zero_or_empty_tensor_has_step_one() -> None:
    assert least_squares_step(torch.zeros(3, 3), 4) == 1.0
    assert least_squares_step(torch.zeros(0, 3), 4) == 1.0


@pytest.mark.parametrize("value", [1e6, 3e38])
def test_weights_beyond_float16_are_refused_not_stored_as_infinity(value: float) -> None:
    trial = attach(configuration("ptq", "mlp", method={"name": "ptq", "bits": 2}))
    with torch.no_grad():
        trial.model.get_parameter("1.weight")[0, 0] = value
    with pytest.raises(ValueError, match="beyond float16"):
        list(trial.method.points(trial.model, trial.context))


def test_biases_beyond_float16_are_refused() -> None:
    trial = attach(configuration("ptq"))
    with torch.no_grad():
        trial.model.get_parameter("1.bias")[0] = 1e5
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    with pytest.raises(ValueError, match=r"section '1\.bias' holds NaN or infinity: refused"):
        container.write(trial.header, trial.layout, sections)


def test_the_error_falls_with_the_number_of_bits() -> None:
    errors = []
    for bits in range(2, 9):
        trial = attach(configuration("ptq", "cnn", method={"name": "ptq", "bits": bits}))
        ((_, sections),) = trial.method.points(trial.model, trial.context)
        decoded = trial.method.decode(sections, trial.context.plain)
        errors.append(sum(float((decoded[name] - given).square().sum()) for name, given in trial.given.items()))
        weights = sections.tensors["0.weight"].values
        assert np.abs(weights).max() <= 2 ** (bits - 1) - 1
    assert all(later < 0.6 * earlier for earlier, later in itertools.pairwise(errors))


def test_weights_have_a_table_each_and_biases_are_float16() -> None:
    trial = attach(configuration("ptq", "normed"))
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    kinds = {name: section.table for name, section in sections.tensors.items() if isinstance(section, Integers)}
    assert kinds == {"0.weight": 0, "4.weight": 1}
    assert isinstance(sections.tensors["4.bias"], Raw)
    assert sections.tensors["4.bias"].values.dtype == np.float16
    assert sections.tensors["1.weight"].values.dtype == np.float32, "norms are kept exactly"
    assert sections.tensors["1.num_batches_tracked"].values.dtype == np.int64


def test_sixteen_bits_are_the_most() -> None:
    for bits in (1, 17, 4.0):
        with pytest.raises(ValueError, match="bits is"):
            attach(configuration("ptq", method={"name": "ptq", "bits": bits}))
