"""What post-training quantisation promises beyond the contract of all methods."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from tests.trainers.trials import attach, configuration
from trainers.coding import container
from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers
from trainers.methods.parts.backend import dequantise
from trainers.methods.parts.grid import grid_points
from trainers.methods.parts.pruning import BIAS_BITS
from trainers.methods.ptq import best_steps


def error_of(tensor: torch.Tensor, step: float, bits: int) -> float:
    most = 2 ** (bits - 1) - 1
    return float((((tensor / step).round().clamp(-most, most) * step - tensor) ** 2).sum())


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_step_is_as_good_as_that_of_a_fine_search(bits: int, seed: int) -> None:
    tensor = torch.randn(600, generator=torch.Generator().manual_seed(seed))
    found = error_of(tensor, float(best_steps(tensor, bits).sizes[0]), bits)
    largest = float(tensor.abs().max()) / (2 ** (bits - 1) - 1)
    best = min(error_of(tensor, float(step), bits) for step in np.linspace(1e-3, 1.2, 2000) * largest)
    assert found <= 1.03 * best
    assert found <= error_of(tensor, float(np.float16(largest)), bits) * (1 + 1e-6), "no worse than clamping nothing"


@pytest.mark.parametrize(("value", "has_exponent"), [(1e-30, True), (1e-9, True), (1.0, False), (1e4, False)])
def test_the_step_is_a_float16_that_has_an_exponent_where_it_needs_one(value: float, has_exponent: bool) -> None:
    steps = best_steps(torch.tensor([value, -value / 3]), 4)
    assert (steps.numbers > 0).all()
    assert steps.numbers.dtype == np.float16
    assert (steps.exponent != 0) == has_exponent


def test_an_all_zero_or_empty_tensor_has_step_one() -> None:
    assert best_steps(torch.zeros(3, 3), 4).sizes.tolist() == [1.0]
    assert best_steps(torch.zeros(0, 3), 4).sizes.tolist() == [1.0]
    assert best_steps(torch.zeros(2, 3), 4, by_row=True).sizes.tolist() == [1.0, 1.0]
    assert best_steps(torch.zeros(0, 3), 4, by_row=True).sizes.tolist() == []
    steps = best_steps(torch.tensor([[0.0, 0.0], [1e-12, 2e-12]]), 4, by_row=True)
    assert steps.numbers[0] == 1
    assert steps.exponent < 0


@pytest.mark.parametrize("value", [1e6, 3e38])
def test_weights_beyond_float16_are_stored(value: float) -> None:
    trial = attach(configuration("ptq", "mlp", method={"name": "ptq", "bits": 2}))
    with torch.no_grad():
        trial.model.get_parameter("1.weight")[0, 0] = value
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    decoded = trial.method.decode(sections, trial.context.plain)
    assert decoded["1.weight"][0, 0] == pytest.approx(value, rel=1e-3)


def test_biases_are_counted_as_finely_as_they_are_stored() -> None:
    trial = attach(configuration("ptq", method={"name": "ptq", "bits": 3}))
    assert trial.method.rate_bits(trial.model, trial.context).item() == 152 * 3 + 11 * BIAS_BITS


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


def test_weights_have_a_table_each_and_the_rest_is_stored_as_that_of_other_methods() -> None:
    trial = attach(configuration("ptq", "normed"))
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    tables = [sections.tensors[name].table for name in ("0.weight", "4.weight")]
    assert len(set(tables)) == 2
    decoded = trial.method.decode(sections, trial.context.plain)
    ((_, of_grid),) = grid_points(trial.context, trial.model.state_dict(), (0.5,))
    others = dequantise(of_grid, trial.context.plain)
    assert all(torch.equal(decoded[name], others[name]) for name in others if name not in ("0.weight", "4.weight"))


def test_sixteen_bits_are_the_most() -> None:
    for bits in (1, 17, 4.0):
        with pytest.raises(ValueError, match="bits is"):
            attach(configuration("ptq", method={"name": "ptq", "bits": bits}))


def test_each_row_has_the_step_it_would_have_alone() -> None:
    scales = torch.tensor([[0.01], [1.0], [30.0]])
    tensor = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0)) * scales.unsqueeze(2)
    alone = [best_steps(row, 3).sizes.tolist() for row in tensor]
    assert best_steps(tensor, 3, by_row=True).sizes.reshape(3, 1).tolist() == alone


def test_steps_for_channels_follow_their_scales_and_err_less_than_one_step() -> None:
    errors = {}
    for granularity in ("tensor", "channel"):
        trial = attach(configuration("ptq", "cnn", method={"name": "ptq", "bits": 3, "granularity": granularity}))
        with torch.no_grad():
            trial.model.get_parameter("0.weight").mul_(torch.tensor([0.01, 1, 20]).reshape(3, 1, 1, 1))
        given = trial.model.get_parameter("0.weight").detach()
        ((_, sections),) = trial.method.points(trial.model, trial.context)
        decoded = trial.method.decode(sections, trial.context.plain)["0.weight"]
        errors[granularity] = ((decoded - given) ** 2).sum(dim=(1, 2, 3)) / (given**2).sum(dim=(1, 2, 3))
    assert (errors["tensor"][:2] > 0.9).all(), "small channels vanish under the step of the largest"
    assert (errors["channel"] < 0.1).all()


def test_steps_for_channels_are_a_vector_for_each_weight() -> None:
    trial = attach(configuration("ptq-channel", "normed"))
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    num_scalar, *by_row = (len(vector) for vector in sections.vectors)
    assert by_row == [4, 3]
    found = {name: (s.table, s.row_vector) for name, s in sections.tensors.items() if isinstance(s, Integers)}
    assert found["0.weight"] == (num_scalar, 1)
    assert found["4.weight"] == (num_scalar + 1, 2)


@pytest.mark.parametrize("num_steps", [0, 3, 5])
def test_a_file_with_more_or_fewer_steps_than_rows_is_refused(num_steps: int) -> None:
    trial = attach(configuration("ptq-channel", "normed"))
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    steps = np.ones(num_steps, np.float16)
    forged = dataclasses.replace(sections, vectors=(sections.vectors[0], steps, *sections.vectors[2:]))
    data = container.write(trial.header, trial.layout, forged)
    with pytest.raises(
        RfzError, match=rf"the file is malformed: {num_steps} rows of '0\.weight' of shape \(4, 1, 3, 3\)"
    ):
        trial.method.decode(container.read(data, trial.layout), trial.context.plain)


def test_a_file_without_steps_for_a_table_is_refused() -> None:
    trial = attach(configuration("ptq-channel", "normed"))
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    num_steps = len(sections.vectors[0]) + 1
    with pytest.raises(RfzError, match=f"table {num_steps} has no step among {num_steps}"):
        trial.method.decode(dataclasses.replace(sections, vectors=sections.vectors[:2]), trial.context.plain)


def test_calibration_makes_the_outputs_error_less_and_the_weights_error_more() -> None:
    """Some inputs are much larger than others."""
    errors = {}
    for source in ("none", "real"):
        method = {"name": "ptq", "bits": 3, "calibration": source}
        trial = attach(configuration("ptq", "mlp", method=method), noise=0.5)
        inputs = trial.task.train.inputs
        inputs.mul_(torch.logspace(-2, 2, 16).reshape(1, 1, 4, 4))
        ((_, sections),) = trial.method.points(trial.model, trial.context)
        difference = trial.method.decode(sections, trial.context.plain)["1.weight"] - trial.given["1.weight"]
        errors[source] = float((inputs.flatten(1) @ difference.T).square().sum()), float(difference.square().sum())
    assert errors["real"][0] < 0.9 * errors["none"][0]
    assert errors["real"][1] > errors["none"][1]


def test_what_cannot_be_calibrated_is_refused_before_the_training() -> None:
    method = {"name": "ptq", "bits": 3, "calibration": "batch_norm"}
    with pytest.raises(ValueError, match="calibration is 'batch_norm', but the network has no batch norm: use 'real'"):
        attach(configuration("ptq", "mlp", method=method))
    with pytest.raises(ValueError, match="calibration is 'imagenet': wanted none or real or gaussian or batch_norm"):
        attach(configuration("ptq", "mlp", method={**method, "calibration": "imagenet"}))
    with pytest.raises(ValueError, match="granularity is 'row': wanted tensor or channel"):
        attach(configuration("ptq", "mlp", method={"name": "ptq", "bits": 3, "granularity": "row"}))
