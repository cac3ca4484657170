"""Batch norms as files hold them: folded to scales and shifts, unless rounding would spoil these."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.trainers.methods.contexts import context_of
from tests.trainers.networks import CLUSTERS
from trainers.coding.sections import Integers
from trainers.compressed import open_compressed
from trainers.config import TrialConfig
from trainers.methods.parts.backend import dequantise
from trainers.methods.parts.folded_norms import folded_norms
from trainers.methods.parts.grid import grid_points
from trainers.train import train


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


def normed(scale: float = 1.0, shift: float = 0.3) -> nn.Module:
    """A layer norm, a group norm and an RMS norm, which has no shift."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 8), nn.GroupNorm(2, 8), nn.RMSNorm(8), nn.Linear(8, 3)
    )
    for norm in (model[1], model[4], model[5]):
        nn.init.normal_(norm.weight, scale, 0.2 * scale)
    for norm in (model[1], model[4]):
        nn.init.normal_(norm.bias, 0.0, shift)
    return model.eval()


def test_norms_without_statistics_share_two_steps() -> None:
    model = normed()
    assert error(model, torch.randn(64, 6)) < 0.05
    ((_, sections),) = grid_points(context_of(model), model.state_dict(), (0.1,))
    scales = [sections.tensors[f"{index}.weight"] for index in (1, 4, 5)]
    shifts = [sections.tensors[f"{index}.bias"] for index in (1, 4)]
    tables = {one.table for one in scales}, {one.table for one in shifts}
    assert [len(found) for found in tables] == [1, 1]
    median = torch.cat([model[index].weight for index in (1, 4, 5)]).median().item()
    assert float(sections.vectors[0][scales[0].table]) == pytest.approx(median / 32, rel=1e-3)


def test_shifts_that_are_large_beside_the_scales_stay_as_they_were() -> None:
    """A step of their median would be as large as what the norm passes on."""
    model = normed(scale=1e-3, shift=1.0)
    _, steps = folded_norms(context_of(model), model.state_dict(), 1 / 32)
    assert set(steps) == {"5.weight"}, "which has no shift"
    model = normed(scale=1e-3, shift=1e-3)
    _, steps = folded_norms(context_of(model), model.state_dict(), 1 / 32)
    assert len(steps) == 5


def test_epr_stores_norms_without_statistics_in_steps(tmp_path: Path) -> None:
    config = TrialConfig.from_dict(
        {
            "task": CLUSTERS,
            "architecture": f"{__name__}:behind_norms",
            "method": {"name": "epr", "lam": 0.1},
            "steps": 3,
        }
    )
    train(config, lambda progress: None, tmp_path)
    kinds = {size.name: size.kind for size in open_compressed(tmp_path / "point.rfz", allow_import=True).account()}
    assert not {kinds[name] for name in ("2.weight", "2.bias", "3.weight")} & {"raw", "half"}


def behind_norms(*, input_shape: tuple[int, ...], num_outputs: int) -> nn.Module:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(16, 8), nn.LayerNorm(8), nn.RMSNorm(8), nn.ReLU(), nn.Linear(8, num_outputs)
    )
    for parameter in (model[2].weight, model[2].bias, model[3].weight):
        nn.init.normal_(parameter, 1.0, 0.2)
    return model
