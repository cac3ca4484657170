"""Batch norms as files hold them: folded to scales and shifts, unless rounding would spoil these."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.trainers.methods.contexts import context_of
from trainers.coding.sections import Integers
from trainers.methods.parts.backend import dequantise
from trainers.methods.parts.folded_norms import folded_norms
from trainers.methods.parts.grid import grid_points


def trained(
    scale: float = 1.0, shift: float = 0.0, dtype: torch.dtype = torch.float32, gain: float = 1.0
) -> tuple[nn.Module, torch.Tensor]:
    """A network behind inputs of any size, whose norms have seen these, and the inputs."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).to(dtype)
    inputs = scale * (torch.randn(256, 6) + shift).to(dtype)
    for norm in (model[0], model[2]):
        nn.init.normal_(norm.weight, gain, 0.2 * gain)
        nn.init.normal_(norm.bias, 0.0, gain)
        norm.momentum = 1.0
    model(inputs)
    return model.eval(), inputs


@torch.no_grad()
def error(model: nn.Module, inputs: torch.Tensor, step: float = 0.01) -> float:
    """How far the decoded network's outputs are from those of ``model``, over their largest."""
    ((_, sections),) = grid_points(context_of(model), model.state_dict(), (step,))
    wanted = model(inputs)
    model.load_state_dict(dequantise(sections, model))
    return float((model(inputs) - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("scale", [0.1, 1.0, 255.0, 1e6, 1e9, 1e15])
def test_inputs_of_any_size_leave_the_network_as_it_was(scale: float) -> None:
    assert error(*trained(scale)) < 0.08


@pytest.mark.parametrize("shift", [3.0, 30.0, 1000.0])
def test_inputs_far_from_zero_leave_the_network_as_it_was(shift: float) -> None:
    assert error(*trained(shift=shift)) < 0.15


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.02])
@pytest.mark.parametrize("shift", [3.0, 30.0, 100.0, 500.0])
def test_norms_of_small_gain_leave_the_network_as_it_was(gain: float, shift: float) -> None:
    """What rounding may shift is measured in what the norm's outputs deviate, which its gain says."""
    assert error(*trained(shift=shift, gain=gain)) < 0.15


@pytest.mark.parametrize("scale", [1e-40, 1e60])
def test_a_network_of_float64_is_folded_in_float64(scale: float) -> None:
    model, inputs = trained(scale, dtype=torch.float64)
    model[0].eps = 0.0
    assert error(model, inputs) < 0.08


def test_layers_behind_ordinary_and_enormous_inputs_share_a_step_up_to_a_power_of_two() -> None:
    model, _ = trained(1e9)
    ((_, sections),) = grid_points(context_of(model), model.state_dict(), (0.1,))
    for kind in ("weight", "bias"):
        first, second = (sections.tensors[f"{index}.{kind}"] for index in (0, 2))
        assert isinstance(first, Integers)
        assert isinstance(second, Integers)
        assert first.table == second.table
    assert sections.tensors["0.weight"].exponent < 0 == sections.tensors["2.weight"].exponent


def test_a_norm_that_rounding_would_spoil_keeps_its_statistics() -> None:
    model, _ = trained(shift=1000.0)
    folded, steps = folded_norms(context_of(model), model.state_dict(), 1 / 32)
    assert set(steps) == {"2.weight", "2.bias"}
    assert {name.partition(".")[0] for name in folded} == {"2"}
    ((_, sections),) = grid_points(context_of(model), model.state_dict(), (0.1,))
    assert torch.equal(dequantise(sections, model)["0.running_mean"], model[0].running_mean)


def test_a_constant_channel_beside_enormous_ones_keeps_its_statistics() -> None:
    """Folded, its scale would be 3e11 times those of the others."""
    model, inputs = trained(1e9)
    inputs[:, 0] = 1e9
    model.train()(inputs)
    assert error(model.eval(), inputs) < 0.08
