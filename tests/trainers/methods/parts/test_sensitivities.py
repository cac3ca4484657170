"""Which hidden units are sensitive, on networks small enough to compute by hand."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from tests.trainers.tracing import unit_groups
from trainers.methods.parts.sensitivities import sensitivities


def first_layer(network: nn.Module, *input_shape: int) -> Tensor:
    """The sensitivities of the first hidden layer."""
    return sensitivities(network.state_dict(), unit_groups(copy.deepcopy(network).to("meta"), input_shape)[0])


def filled(tensor: Tensor, values: Any) -> None:
    with torch.no_grad():
        tensor.copy_(torch.tensor(values))


def test_a_units_sensitivity_is_its_incoming_norm_times_the_largest_weight_that_reads_it() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    filled(network[0].weight, [[3.0, 0.0], [0.0, 0.0], [2.0, 2.0]])
    filled(network[0].bias, [4.0, 2.0, 1.0])
    filled(network[2].weight, [[1.0, -3.0, 0.0], [-2.0, 1.0, 0.0]])
    assert first_layer(network, 2).tolist() == [5 * 2, 2 * 3, 3 * 0]


def test_kernels_and_flattened_images_count_as_their_norm() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 2, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 2, 1, bias=False))
    filled(network[0].weight, [[[[1.0, 1.0], [1.0, 1.0]]], [[[0.0, 3.0], [4.0, 0.0]]]])
    filled(network[3].weight, [[3.0, 4.0, 0.0, 1.0]])  # two places of the first channel, then two of the second
    assert first_layer(network, 1, 2, 3).tolist() == [2 * 5, 5 * 1]


def test_scale_and_shift_of_a_normed_unit_count_and_not_the_weights_before() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 1))
    filled(network[0].weight, [[100.0, 0.0], [0.0, 0.1]])
    filled(network[1].weight, [3.0, 1.0])
    filled(network[1].bias, [4.0, 0.0])
    filled(network[3].weight, [[1.0, -2.0]])
    assert first_layer(network, 2).tolist() == [5 * 1, 1 * 2]


def test_units_behind_a_norm_without_parameters_count_by_what_reads_them() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False), nn.ReLU(), nn.Linear(2, 1))
    filled(network[3].weight, [[1.0, -2.0]])
    assert first_layer(network, 2).tolist() == [1, 2]
