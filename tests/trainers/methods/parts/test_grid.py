"""Networks of floats, stored at a grid of quantisation steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainers.methods.contexts import context_of
from trainers.coding.sections import Integers, Raw
from trainers.methods.parts.backend import dequantise
from trainers.methods.parts.grid import check_steps, grid_points, point_id, store
from trainers.methods.parts.steps import steps_of


def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
    model(torch.randn(64, 1, 4, 4))
    return model.eval()


def test_each_step_is_a_point_and_finer_steps_are_nearer() -> None:
    model = network()
    inputs = torch.randn(32, 1, 4, 4)
    errors = []
    for name, sections in grid_points(context_of(model), model.state_dict(), (0.5, 0.1, 0.01)):
        decoded = network()
        decoded.load_state_dict(dequantise(sections, model))
        with torch.no_grad():
            errors.append((name, float((decoded(inputs) - model(inputs)).abs().max())))
    assert [name for name, _ in errors] == ["step0.5", "step0.1", "step0.01"]
    assert errors[0][1] > errors[1][1] > errors[2][1]
    assert errors[2][1] < 0.1


@pytest.mark.parametrize("layer", [nn.LSTM(3, 8), nn.GRUCell(3, 8)])
def test_biases_of_recurrent_layers_are_rounded_more_finely(layer: nn.Module) -> None:
    model = nn.ModuleDict({"layer": layer, "last": nn.Linear(8, 64)})
    (_, sections), *_ = grid_points(context_of(model), model.state_dict(), (0.25,))
    decoded, shares = dequantise(sections, model), {}
    for name, values in model.state_dict().items():
        shares[name] = float((decoded[name] - values).abs().max() / values.std())
    recurrent = [share for name, share in shares.items() if name.startswith("layer.bias")]
    assert recurrent
    assert max(recurrent) < 1 / 256
    assert 1 / 64 < shares["last.bias"] <= 1.01 / 32


def test_steps_are_in_units_of_the_spread_of_what_is_left() -> None:
    model = nn.Sequential(nn.Linear(64, 64, bias=False))
    with torch.no_grad():
        model[0].weight.mul_(torch.rand(64, 64) < 0.1)
    weight = model[0].weight.detach()
    ((_, sections),) = grid_points(context_of(model), model.state_dict(), (0.5,))
    (step,) = sections.vectors[0]
    assert math.isclose(step, 0.5 * float(weight[weight != 0].std()), rel_tol=1e-3)
    section = sections.tensors["0.weight"]
    assert isinstance(section, Integers)
    assert not section.values[weight.numpy() == 0].any()
    np.testing.assert_array_equal(section.values, (weight.double() / float(step)).round().numpy())


@pytest.mark.parametrize("value", [0.0, 0.3, -5.0, 1e-9])
def test_a_tensor_of_equal_values_keeps_them(value: float) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    nn.init.constant_(model[0].weight, value)
    nn.init.constant_(model[0].bias, value)
    ((_, sections),) = grid_points(context_of(model), model.state_dict(), (0.5,))
    decoded = dequantise(sections, model)
    for tensor in decoded.values():
        assert torch.allclose(tensor, torch.tensor(value), rtol=0.01, atol=1e-7)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_has_no_step_is_named(value: float) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight[0, 0] = value
    with pytest.raises(ValueError, match=r"cannot quantise '0.weight'"):
        list(grid_points(context_of(model), model.state_dict(), (0.5,)))


def test_numbers_that_are_no_floats_are_stored_exactly() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    for name, values in (
        ("index", torch.arange(32).flip(0)),
        ("table", torch.arange(12, dtype=torch.int32).view(3, 4) * 100_000),
        ("mask", torch.arange(6) % 4 != 0),
        ("bytes", torch.tensor([255, 0], dtype=torch.uint8)),
    ):
        model.register_parameter(name, nn.Parameter(values, requires_grad=False))
    ((_, sections),) = grid_points(context_of(model), model.state_dict(), (1.0,))
    decoded = dequantise(sections, model)
    for name in ("index", "table", "mask", "bytes"):
        assert isinstance(sections.tensors[name], Raw)
        assert torch.equal(decoded[name], model.get_parameter(name))


@pytest.mark.parametrize("steps", [[], "0.5", [0.0], [-1], [0.5, 0.5], [True], [math.nan], 0.5])
def test_a_grid_is_checked(steps: object) -> None:
    with pytest.raises(ValueError, match="steps"):
        check_steps(steps)  # type: ignore[arg-type]


def test_points_are_named_by_their_step() -> None:
    assert point_id(0.25) == "step0.25"


def test_weights_that_are_rounded_already_are_stored_as_they_are_and_the_rest_as_of_a_grid() -> None:
    model = network()
    whole = {"0.weight": torch.arange(36.0).reshape(4, 1, 3, 3), "3.weight": torch.ones(3, 16)}
    by_row, single = steps_of([0.5, 1, 2, 4]), steps_of(0.25)
    sections = store(
        context_of(model),
        model.state_dict(),
        {"0.weight": (whole["0.weight"], by_row), "3.weight": (whole["3.weight"], single)},
    )
    decoded = dequantise(sections, model, by_row=True)
    assert torch.equal(decoded["0.weight"], whole["0.weight"] * torch.tensor([0.5, 1, 2, 4]).reshape(4, 1, 1, 1))
    assert torch.equal(decoded["3.weight"], 0.25 * whole["3.weight"])
    ((_, of_grid),) = grid_points(context_of(model), model.state_dict(), (0.5,))
    others = dequantise(of_grid, model)
    assert all(torch.equal(decoded[name], others[name]) for name in others if name not in whole)
    tables = {s.table: s.row_vector for s in sections.tensors.values() if isinstance(s, Integers)}
    assert tables == {0: None, 1: None, 2: None, 3: None, 4: None, 5: 1}, "a table for each, the one with rows last"


def test_a_channel_that_is_always_zero_does_not_coarsen_the_norms_of_others() -> None:
    model = network()
    with torch.no_grad():
        model[0].weight[0], model[0].bias[0] = 0, 0
        model[1].running_var[0] = 0
    inputs = torch.randn(64, 1, 4, 4)
    (_, sections) = next(iter(grid_points(context_of(model), model.state_dict(), (0.01,))))
    decoded = network()
    decoded.load_state_dict(dequantise(sections, model))
    assert torch.allclose(decoded(inputs), model(inputs), atol=0.05)


def test_norms_of_a_layer_with_small_scales_do_not_vanish() -> None:
    """Scales are small behind inputs that are large numbers."""
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    with torch.no_grad():
        model[1].running_var.fill_(1e6)
    (_, sections) = next(iter(grid_points(context_of(model), model.state_dict(), (0.01,))))
    decoded = dequantise(sections, model)
    scale = 1 / math.sqrt(1e6 + 1e-5) * math.sqrt(1 + 1e-5)
    torch.testing.assert_close(decoded["1.weight"], torch.full((3,), scale), rtol=0.1, atol=0)
