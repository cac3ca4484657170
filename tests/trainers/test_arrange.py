"""Arranging units leaves the network's function as it is, empties what is dead, and sorts."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

from tests.trainers.tracing import all_groups, unit_groups
from trainers.architectures import ARCHITECTURES
from trainers.architectures.base import initialise
from trainers.architectures.gpt import gpt
from trainers.arrange import arrange
from trainers.coding.sections import Integers, Raw, Section, Sections
from trainers.hidden_units import Role, UnitAxis, UnitGroup

NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "lenet300_100": ("lenet300_100", {}, (1, 28, 28)),
    "lenet5": ("lenet5", {}, (1, 28, 28)),
    "cnn": ("cnn", {"input_shape": [1, 8, 8], "num_outputs": 10, "channels": [4, 6]}, (1, 8, 8)),
    "mlp": ("mlp", {"input_shape": [6], "num_outputs": 3, "hidden": [9, 8, 7]}, (6,)),
    "resnet_cifar": ("resnet_cifar", {"depth": 8}, (3, 32, 32)),
    "vgg16_cifar": ("vgg16_cifar", {}, (3, 32, 32)),
}


def prune_half(module: nn.Linear) -> nn.Linear:
    return prune.l1_unstructured(module, "weight", 0.5)  # type: ignore[no-untyped-call]


def sparse(network: nn.Module, seed: int) -> Sections:
    """Sections with few non-zero weights in few units, offsets of both signs, and norms as stored when folded."""
    generator = np.random.default_rng(seed)
    tensors: dict[str, Section] = {}
    for name, tensor in network.state_dict().items():
        shape = tuple(tensor.shape)
        if tensor.ndim >= 2:
            alive = generator.random((shape[0],) + (1,) * (tensor.ndim - 1)) < 0.7
            alive = alive & (generator.random((1, shape[1]) + (1,) * (tensor.ndim - 2)) < 0.7)
            dense = generator.integers(-3, 4, shape) * (generator.random(shape) < 0.3)
            tensors[name] = Integers(values=(dense * alive).astype(np.int32))
        elif name.endswith("running_mean"):
            means = generator.integers(-1, 2, shape) if seed % 2 else np.zeros(shape)
            tensors[name] = Raw(values=means.astype(np.float32))
        elif name.endswith("running_var"):
            variances = generator.uniform(0.5, 2, shape) if seed % 2 else np.ones(shape)
            tensors[name] = Raw(values=variances.astype(np.float32))
        elif name.endswith("num_batches_tracked"):
            tensors[name] = Raw(values=np.zeros(shape, np.int64))
        else:
            tensors[name] = Integers(values=generator.integers(-2, 2, shape).astype(np.int32))
    return Sections(tensors=tensors)


def outputs(network: nn.Module, sections: Sections, input_shape: tuple[int, ...]) -> torch.Tensor:
    """The network's outputs in float64; each layer is scaled so that signals neither vanish nor grow."""
    decoded = copy.deepcopy(network).double().eval()
    values = {name: torch.from_numpy(np.array(section.values)).double() for name, section in sections.tensors.items()}
    for name, tensor in values.items():
        if tensor.ndim > 1:
            values[name] = tensor * 0.3 / tensor[0].numel() ** 0.25
    decoded.load_state_dict(values)
    torch.manual_seed(0)
    with torch.no_grad():
        found: torch.Tensor = decoded(torch.randn(3, *input_shape, dtype=torch.float64))
    return found


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_function_stays_and_nonzeros_do_not_grow(name: str, seed: int) -> None:
    architecture, arguments, input_shape = NETWORKS[name]
    network = ARCHITECTURES[architecture](**arguments)
    with torch.device("meta"):
        groups = unit_groups(ARCHITECTURES[architecture](**arguments), input_shape)
    assert groups
    given = sparse(network, seed)
    before = {key: section.values.copy() for key, section in given.tensors.items()}
    arranged = arrange(given, groups)
    wanted = outputs(network, given, input_shape)
    assert wanted.std() > 0
    torch.testing.assert_close(outputs(network, arranged, input_shape), wanted, rtol=1e-9, atol=1e-9)
    for key, section in given.tensors.items():
        assert np.array_equal(section.values, before[key]), "what was given is not written to"
        assert np.count_nonzero(arranged.tensors[key].values) <= np.count_nonzero(section.values)
    assert sum(np.count_nonzero(s.values) for s in arranged.tensors.values()) < sum(
        np.count_nonzero(s.values) for s in given.tensors.values()
    ), "some units were dead"
    again = arrange(arranged, groups)
    assert all(np.array_equal(again.tensors[key].values, arranged.tensors[key].values) for key in again.tensors)


def test_units_are_sorted_and_the_dead_come_last() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    weights = np.array([[0, 1, 0], [1, 2, 3], [0, 0, 0], [1, 1, 1]], np.int32)
    bias = np.array([5, 6, -7, 8], np.int32)
    readers = np.array([[1, 1, 1, 0], [2, 2, 2, 0]], np.int32)
    given = Sections(
        tensors={
            "0.weight": Integers(values=weights),
            "0.bias": Integers(values=bias, table=1),
            "2.weight": Integers(values=readers),
            "2.bias": Integers(values=np.zeros(2, np.int32), table=1),
        }
    )
    arranged = arrange(given, unit_groups(network.to("meta"), (3,)))
    assert arranged.tensors["0.weight"].values.tolist() == [[1, 2, 3], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert arranged.tensors["0.bias"].values.tolist() == [6, 5, 0, 0], "nobody reads the last, the third is negative"
    assert arranged.tensors["2.weight"].values.tolist() == [[1, 1, 0, 0], [2, 2, 0, 0]]
    assert [s.table for s in arranged.tensors.values() if isinstance(s, Integers)] == [0, 1, 0, 1]


def test_a_unit_with_a_positive_offset_is_not_dead() -> None:
    network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    names = ("0.weight", "0.bias", "2.weight", "2.bias")
    values = dict(zip(names, ([[0]], [1], [[2]], [0]), strict=True))
    given = Sections(tensors={name: Integers(values=np.array(value, np.int32)) for name, value in values.items()})
    arranged = arrange(given, unit_groups(network.to("meta"), (1,)))
    assert {name: section.values.tolist() for name, section in arranged.tensors.items()} == values


def test_networks_of_floats_are_left_alone() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    given = Sections(tensors={name: Raw(values=t.detach().numpy()) for name, t in network.state_dict().items()})
    arranged = arrange(given, unit_groups(network.to("meta"), (3,)))
    assert all(arranged.tensors[name] is section for name, section in given.tensors.items())


def test_the_units_of_lenet5_in_a_flattened_convolution_are_blocks_of_columns() -> None:
    with torch.device("meta"):
        groups = unit_groups(ARCHITECTURES["lenet5"](), (1, 28, 28))
    assert [group.num_units for group in groups] == [20, 50, 500]
    (reader,) = [axis for axis in groups[1].axes if axis.role is Role.READER]
    assert (reader.tensor, reader.dim, reader.block) == ("7.weight", 1, 16)


class Residual(nn.Module):
    """Two layers read the input; ``join`` combines their outputs for a last layer."""

    def __init__(self, join: Any) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(5, 6), nn.Linear(5, 6), nn.Linear(6, 2)
        self.join = join
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.join(self.first(x), self.second(x)))  # type: ignore[no-any-return]


def test_units_that_are_added_move_together() -> None:
    (group,) = unit_groups(Residual(lambda a, b: F.relu(a + b)).to("meta"), (5,))
    names = {axis.tensor for axis in group.axes}
    assert names == {"first.weight", "first.bias", "second.weight", "second.bias", "last.weight"}
    assert not group.rectified, "a negative offset may be made up for by the other layer"


@pytest.mark.parametrize(
    "join",
    [
        lambda a, b: a * b.flip(1),
        lambda a, b: torch.softmax(a, 1) + b,
        lambda a, b: a + b.flip(1),
        lambda a, b: a + F.pad(b[:, 1:], (1, 0)),
        lambda a, b: a.view(-1, 2, 3).sum(1).repeat(1, 2) + b,
        lambda a, b: a if a.sum() > 0 else b,
    ],
    ids=["other product", "softmax", "flip", "pad", "view", "branch"],
)
def test_what_is_not_understood_is_pinned(join: Any) -> None:
    groups = unit_groups(Residual(join).to("meta"), (5,))
    assert not any(axis.tensor == "last.weight" for group in groups for axis in group.axes)


def test_an_offset_that_is_also_read_before_its_relu_is_not_cut() -> None:
    groups = unit_groups(Residual(lambda a, b: F.relu(a) + a + b).to("meta"), (5,))
    assert not any(group.rectified for group in groups)


def test_tied_weights_have_no_groups() -> None:
    with torch.device("meta"):
        network = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    assert unit_groups(network, (3,))
    network[2].weight = network[0].weight
    assert unit_groups(network, (3,)) == ()


def normed_sections(scale: list[float], shift: list[float], *, mean: float = 0) -> tuple[nn.Module, Sections]:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1)).eval()
    tensors: dict[str, Section] = {
        "0.weight": Integers(values=np.array([[1, 2], [3, 4], [5, 6]], np.int32)),
        "0.bias": Raw(values=np.array([1, 2, 3], np.float32)),
        "1.weight": Raw(values=np.array(scale, np.float32)),
        "1.bias": Raw(values=np.array(shift, np.float32)),
        "1.running_mean": Raw(values=np.full(3, mean, np.float32)),
        "1.running_var": Raw(values=np.ones(3, np.float32)),
        "1.num_batches_tracked": Raw(values=np.zeros((), np.int64)),
        "3.weight": Integers(values=np.array([[7, 8, 9]], np.int32)),
        "3.bias": Integers(values=np.array([1], np.int32), table=1),
    }
    return network, Sections(tensors=tensors)


@pytest.mark.parametrize("mean", [0.0, 5.0])
def test_a_norm_that_scales_to_nothing_empties_its_layer(mean: float) -> None:
    network, given = normed_sections([0, 1, 0], [-1, 2, 0.5], mean=mean)
    arranged = arrange(given, unit_groups(copy.deepcopy(network).to("meta"), (2,)))
    assert arranged.tensors["0.weight"].values.tolist() == [[3, 4], [5, 6], [0, 0]]
    assert arranged.tensors["3.weight"].values.tolist() == [[8, 9, 0]], "a positive shift is still read"
    torch.testing.assert_close(outputs(network, arranged, (2,)), outputs(network, given, (2,)))


def test_a_constant_vector_stays_constant() -> None:
    network, given = normed_sections([1, 1, 1], [1, 2, 3])
    readers = {"3.weight": Integers(values=np.array([[7, 0, 9]], np.int32))}
    arranged = arrange(Sections(tensors={**given.tensors, **readers}), unit_groups(network.to("meta"), (2,)))
    assert arranged.tensors["1.weight"].values.tolist() == [1, 1, 1], "stored as one value"
    assert arranged.tensors["1.bias"].values.tolist() == [1, 3, 0]


@pytest.mark.parametrize("reparametrise", [nn.utils.parametrizations.weight_norm, prune_half], ids=["norm", "pruned"])
def test_a_network_whose_weights_something_else_makes_stays_as_it_is(reparametrise: Any) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), reparametrise(nn.Linear(4, 4)), nn.ReLU(), nn.Linear(4, 2))
    names = set(network.state_dict())
    assert "2.weight" not in names
    groups = unit_groups(network.to("meta"), (3,))
    assert all(axis.tensor in names for group in groups for axis in group.axes)


def test_what_scales_a_dead_channel_is_left_out() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.BatchNorm2d(3), nn.Tanh(), nn.Conv2d(3, 2, 1))
    groups = unit_groups(network.to("meta"), (1, 2, 2))
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    tensors: dict[str, Section] = {
        "0.weight": Integers(values=np.array([[1], [0], [2]], np.int32).reshape(3, 1, 1, 1)),
        "1.weight": Integers(values=np.array([3, 9000, 4], np.int32), table=1),
        "1.bias": Integers(values=np.array([1, 5, 2], np.int32), table=2),
        "1.running_mean": Raw(values=zeros),
        "1.running_var": Raw(values=ones),
        "1.num_batches_tracked": Raw(values=np.zeros((), np.int64)),
        "3.weight": Integers(values=np.ones((2, 3, 1, 1), np.int32), table=3),
        "3.bias": Integers(values=np.zeros(2, np.int32), table=4),
    }
    arranged = arrange(Sections(tensors=tensors), groups).tensors
    assert sorted(arranged["1.weight"].values.tolist()) == [0, 3, 4]
    assert sorted(arranged["1.bias"].values.tolist()) == [1, 2, 5]


def test_a_number_for_each_row_goes_where_the_row_goes() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    weights = np.array([0, 5, 7], np.int32).reshape(3, 1, 1, 1)
    readers = np.arange(24, dtype=np.int32).reshape(2, 12)
    given = Sections(
        tensors={
            "0.weight": Integers(values=weights, row_vector=1),
            "0.bias": Integers(values=np.array([1, 0, 2], np.int32), table=1),
            "3.weight": Integers(values=readers * np.repeat([0, 1, 1], 4).astype(np.int32), table=2, row_vector=2),
            "3.bias": Integers(values=np.zeros(2, np.int32), table=1),
        },
        vectors=tuple(np.array(steps, np.float16) for steps in ([0.5], [0.25, 2, 3], [8, 9])),
    )
    arranged = arrange(given, unit_groups(network.to("meta"), (1, 2, 2)))
    assert arranged.tensors["0.weight"].values.ravel().tolist() == [5, 7, 0]
    assert [vector.tolist() for vector in arranged.vectors] == [[0.5], [2, 3, 0.25], [8, 9]]
    assert given.vectors[1].tolist() == [0.25, 2, 3], "what was given is not written to"


def test_numbers_for_the_rows_of_a_block_stay_together() -> None:
    axes = (
        UnitAxis(tensor="weight", dim=0, block=2, role=Role.WEIGHT),
        UnitAxis(tensor="reader", dim=1, block=1, role=Role.READER),
    )
    group = UnitGroup(num_units=2, axes=axes, keeps_zero=True, rectified=False, gated=False, homogeneous=True)
    weight = np.array([[0, 1], [0, 0], [2, 3], [4, 5]], np.int32)
    given = Sections(
        tensors={
            "weight": Integers(values=weight, row_vector=0),
            "reader": Integers(values=np.ones((3, 2), np.int32), row_vector=1),
        },
        vectors=(np.array([1, 2, 3, 4], np.float16), np.array([5, 6, 7], np.float16)),
    )
    arranged = arrange(given, [group])
    assert arranged.tensors["weight"].values.tolist() == [[2, 3], [4, 5], [0, 1], [0, 0]]
    assert [vector.tolist() for vector in arranged.vectors] == [[3, 4, 1, 2], [5, 6, 7]]


@pytest.mark.parametrize("settings", [{}, {"positions": "rotary", "norm": "rms"}, {"activation": "swiglu"}])
@pytest.mark.parametrize("emptied", [("attention.out", "mlp.down"), ("attention.query_key_value", "mlp.down")])
def test_of_a_block_that_adds_nothing_nothing_is_left(settings: dict[str, Any], emptied: tuple[str, ...]) -> None:
    network = gpt(num_outputs=7, context=8, layers=2, width=16, heads=4, **settings)
    given = Sections(
        tensors={
            name: Integers(
                values=np.random.default_rng(len(name)).integers(-3, 4, tuple(tensor.shape)).astype(np.int32)
            )
            for name, tensor in network.state_dict().items()
        }
    )
    for name in emptied:
        given.tensors[f"blocks.1.{name}.weight"].values[:] = 0
    arranged = arrange(given, all_groups(copy.deepcopy(network).to("meta"), (8,), torch.int64))
    assert {name for name, section in arranged.tensors.items() if not section.values.any()} == {
        name for name in given.tensors if name.startswith("blocks.1.")
    }
    x = torch.randint(7, (3, 8))
    found = [
        torch.func.functional_call(
            network, {name: torch.from_numpy(one.values / 8).float() for name, one in sections.tensors.items()}, (x,)
        )
        for sections in (given, arranged)
    ]
    torch.testing.assert_close(*found)


def test_a_head_is_emptied_where_its_values_are_zero_and_not_where_its_queries_are() -> None:
    network = gpt(num_outputs=7, context=8, layers=1, width=8, heads=2)
    rows, out = np.ones((24, 8), np.int32), np.ones((8, 8), np.int32)
    rows[:4], rows[20:] = 0, 0  # the queries of the first head, the values of the second
    given = Sections(
        tensors={
            **{name: Integers(values=np.ones(one.shape, np.int32)) for name, one in network.state_dict().items()},
            "blocks.0.attention.query_key_value.weight": Integers(values=rows),
            "blocks.0.attention.out.weight": Integers(values=out),
        }
    )
    arranged = arrange(given, all_groups(network.to("meta"), (8,), torch.int64)).tensors
    left = arranged["blocks.0.attention.query_key_value.weight"].values.any(1)
    assert np.flatnonzero(left).tolist() == [*range(8, 12), *range(16, 20)], "the order of heads stays"
    assert arranged["blocks.0.attention.out.weight"].values.any(0).tolist() == [True] * 4 + [False] * 4
