"""Grids are found by their class, under every name that they have, and stored as such."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.contract.test_zoo import configuration_of
from trainers.architectures.base import build_on_meta, layout_of
from trainers.networks.grid import Grid, grids
from trainers.networks.tensors import each_once
from trainers.preparation import prepare


def test_a_grid_is_one_parameter_of_zeros() -> None:
    grid = Grid(2, 3, 4)
    assert grid() is grid.values
    assert torch.equal(grid.values, torch.zeros(2, 3, 4))
    assert grids(grid) == {"values"}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((), r"a grid has shape \(\): wanted height and width, or channels, height and width"),
        ((1, 2, 3, 4), r"a grid has shape \(1, 2, 3, 4\): wanted height and width"),
        ((3, 0), "width is 0: wanted a whole number of at least 1"),
        ((0, 3, 3), "channels is 0: wanted a whole number of at least 1"),
    ],
)
def test_what_is_no_grid_is_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grid(*shape)


def test_the_layout_says_which_tensors_are_grids() -> None:
    def build() -> nn.Module:
        network = nn.Sequential(Grid(4, 5), nn.Linear(5, 5))
        network.add_module("again", network[0])
        return network

    assert [entry.is_grid for entry in layout_of(build())] == [True, False, False, True]
    on_meta = each_once(build_on_meta("build", build, {}))
    assert [(entry.name, entry.is_grid) for entry in layout_of(on_meta)] == [
        ("0.values", True),
        ("1.weight", False),
        ("1.bias", False),
    ]


def test_a_trial_sees_them() -> None:
    trial = prepare(configuration_of("reads_grids", "epr", {"lam": 0.1}), torch.device("cpu"))
    assert [entry.name for entry in trial.layout if entry.is_grid] == ["grids.0.values", "grids.1.values"]
