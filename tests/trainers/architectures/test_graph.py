"""The unit groups of each architecture are those of its layers, and any permutation of a group keeps the function."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.trainers.tracing import unit_groups
from trainers.architectures import ARCHITECTURES
from trainers.hidden_units import Role, UnitGroup

Forward = Callable[[Any, torch.Tensor], torch.Tensor]


def groups_of(name: str, input_shape: tuple[int, ...], /, **arguments: Any) -> tuple[UnitGroup, ...]:
    with torch.device("meta"):
        return unit_groups(ARCHITECTURES[name](**arguments), input_shape)


def axes_of(group: UnitGroup) -> set[tuple[str, int, int, Role]]:
    return {(axis.tensor, axis.dim, axis.block, axis.role) for axis in group.axes}


def dense(computes: str, reads: str, *, block: int = 1) -> set[tuple[str, int, int, Role]]:
    return {
        (f"{computes}.weight", 0, 1, Role.WEIGHT),
        (f"{computes}.bias", 0, 1, Role.BIAS),
        (f"{reads}.weight", 1, block, Role.READER),
    }


def normed(conv: str, norm: str, reads: str) -> set[tuple[str, int, int, Role]]:
    return {
        (f"{conv}.weight", 0, 1, Role.WEIGHT),
        (f"{norm}.weight", 0, 1, Role.SCALE),
        (f"{norm}.bias", 0, 1, Role.SHIFT),
        (f"{norm}.running_mean", 0, 1, Role.MEAN),
        (f"{norm}.running_var", 0, 1, Role.VARIANCE),
        (f"{reads}.weight", 1, 1, Role.READER),
    }


class Network(nn.Module):
    """A network whose ``forward`` is a given function of the modules given by name."""

    def __init__(self, forward: Forward, **modules: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self, x)


def assert_any_permutation_keeps_the_function(network: nn.Module, input_shape: tuple[int, ...]) -> None:
    groups = unit_groups(copy.deepcopy(network).to("meta"), input_shape)
    generator = np.random.default_rng(0)
    torch.manual_seed(0)
    network = network.double().eval()
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 1.0) if tensor.ndim == 1 else tensor.normal_(0, 0.2)
    x = torch.randn(3, *input_shape, dtype=torch.float64)
    with torch.no_grad():
        wanted = network(x)
        assert wanted.std() > 0
        state = network.state_dict()
        for group in groups:
            order = torch.from_numpy(generator.permutation(group.num_units))
            for axis in group.axes:
                indices = (order[:, None] * axis.block + torch.arange(axis.block)).reshape(-1)
                state[axis.tensor] = state[axis.tensor].index_select(axis.dim, indices)
        network.load_state_dict(state)
        torch.testing.assert_close(network(x), wanted, rtol=1e-9, atol=1e-9)


def test_lenet300_100_has_its_two_hidden_layers() -> None:
    first, second = groups_of("lenet300_100", (1, 28, 28))
    assert (first.num_units, second.num_units) == (300, 100)
    assert axes_of(first) == dense("1", "3")
    assert axes_of(second) == dense("3", "5")
    assert first.keeps_zero
    assert first.rectified


def test_a_channel_of_lenet5_is_a_block_of_columns_after_flattening() -> None:
    first, second, third = groups_of("lenet5", (1, 28, 28))
    assert (first.num_units, second.num_units, third.num_units) == (20, 50, 500)
    assert axes_of(first) == dense("0", "3")
    assert axes_of(second) == dense("3", "7", block=16)
    assert axes_of(third) == dense("7", "9")


def test_a_small_cnn_has_a_group_for_each_convolution() -> None:
    first, second = groups_of("cnn", (1, 8, 8), input_shape=[1, 8, 8], num_outputs=10, channels=[4, 6])
    assert axes_of(first) == dense("0", "3")
    assert axes_of(second) == dense("3", "7", block=4)


def test_an_mlp_without_hidden_layers_has_no_groups() -> None:
    assert groups_of("mlp", (6,), input_shape=[6], num_outputs=3, hidden=[]) == ()


def test_vgg16_has_a_group_for_each_hidden_layer() -> None:
    groups = groups_of("vgg16_cifar", (3, 32, 32))
    assert [group.num_units for group in groups] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6 + [512]
    assert axes_of(groups[0]) == normed("0", "1", "3")
    assert all(group.rectified and group.keeps_zero for group in groups)


def test_only_inside_of_blocks_are_residual_units_free() -> None:
    """Shortcuts that pad channels fix the residual stream of all three stages."""
    groups = groups_of("resnet_cifar", (3, 32, 32), depth=14)
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1)]
    wanted = [normed(f"{block}.conv1", f"{block}.bn1", f"{block}.conv2") for block in blocks]
    assert [axes_of(group) for group in groups] == wanted
    assert [group.num_units for group in groups] == [16, 16, 32, 32, 64, 64]
    used = {(axis.tensor, axis.dim) for group in groups for axis in group.axes}
    assert not used & {("conv1.weight", 0), ("linear.weight", 1), ("layer1.0.conv2.weight", 0), ("bn1.weight", 0)}


def test_a_residual_stream_without_padding_is_one_group() -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(m.stem(x))
        x = F.relu(x + m.norm(m.inner(x)))
        return m.head(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]

    modules = {"stem": nn.Conv2d(1, 6, 3), "inner": nn.Conv2d(6, 6, 3, padding=1), "norm": nn.BatchNorm2d(6)}
    (group,) = unit_groups(Network(forward, **modules, head=nn.Linear(6, 2)).to("meta"), (1, 8, 8))
    assert {(name, axis) for name, axis, _, role in axes_of(group) if role is Role.READER} == {
        ("inner.weight", 1),
        ("head.weight", 1),
    }
    assert {name for name, _, _, role in axes_of(group) if role is Role.WEIGHT} == {"stem.weight", "inner.weight"}


@pytest.mark.parametrize("name", ["cnn", "lenet300_100", "lenet5", "mlp", "resnet_cifar", "vgg16_cifar"])
def test_inputs_and_outputs_never_move(name: str) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "cnn": {"input_shape": [3, 32, 32], "num_outputs": 10},
        "mlp": {"input_shape": [3, 32, 32], "num_outputs": 10},
        "resnet_cifar": {"depth": 8},
    }
    with torch.device("meta"):
        network = ARCHITECTURES[name](**arguments.get(name, {}))
    input_shape = (1, 28, 28) if name.startswith("lenet") else (3, 32, 32)
    weights = [key for key, tensor in network.state_dict().items() if tensor.ndim > 1]
    axes = [axis for group in unit_groups(network, input_shape) for axis in group.axes]
    assert axes
    assert (weights[0], 1) not in {(axis.tensor, axis.dim) for axis in axes}
    assert (weights[-1], 0) not in {(axis.tensor, axis.dim) for axis in axes}
    assert len({(axis.tensor, axis.dim) for axis in axes}) == len(axes), "an axis has units of one group, once"
    sizes = {key: tensor.shape for key, tensor in network.state_dict().items()}
    for group in unit_groups(network, input_shape):
        assert all(sizes[axis.tensor][axis.dim] == group.num_units * axis.block for axis in group.axes)


SEQUENCES: dict[str, tuple[nn.Sequential, tuple[int, ...]]] = {
    "norms of vectors": (nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3)), (4,)),
    "strides and pools": (
        nn.Sequential(nn.Conv2d(1, 5, 3, stride=2), nn.GELU(), nn.AvgPool2d(2), nn.Conv2d(5, 4, 1), nn.Flatten()),
        (1, 9, 9),
    ),
    "groups of convolutions": (
        nn.Sequential(nn.Conv2d(1, 6, 3), nn.Conv2d(6, 6, 3, groups=2), nn.Conv2d(6, 4, 1), nn.Flatten()),
        (1, 9, 9),
    ),
    "depthwise convolutions": (
        nn.Sequential(
            *(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6)),
            *(nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(100, 3)),
        ),
        (1, 9, 9),
    ),
    "flat norms": (
        nn.Sequential(nn.Conv2d(1, 6, 3), nn.Flatten(), nn.BatchNorm1d(54), nn.Linear(54, 3)),
        (1, 5, 5),
    ),
}


class Block(nn.Module):
    """A transformer's block with positions before it, a mean over tokens behind it and a head."""

    def __init__(self, width: int = 6, num_heads: int = 2) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 5, width))
        self.embedding, self.head = nn.Linear(4, width), nn.Linear(width, 3)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 16), nn.Linear(16, width)
        self.num_heads = num_heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embedding(x) + self.positions
        num, tokens, width = x.shape
        parts = self.queries(self.first(x)).reshape(num, tokens, 3, self.num_heads, width // self.num_heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))
        x = x + self.narrow(F.gelu(self.wide(self.second(x))))
        return self.head(x.mean(1))  # type: ignore[no-any-return]


class Sine(nn.Module):
    """The activation of a SIREN."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(30 * x)


def test_a_transformer_has_a_group_of_the_units_inside_each_block() -> None:
    (group,) = unit_groups(Block().to("meta"), (5, 4))
    assert axes_of(group) == dense("wide", "narrow")
    assert group.num_units == 16
    assert group.keeps_zero
    assert_any_permutation_keeps_the_function(Block(), (5, 4))


def test_a_gate_and_what_it_opens_have_the_same_units() -> None:
    network = Network(
        lambda m, x: m.down(F.silu(m.gate(x)) * m.up(x)),
        gate=nn.Linear(4, 8),
        up=nn.Linear(4, 8, bias=False),
        down=nn.Linear(8, 3),
    )
    (group,) = unit_groups(copy.deepcopy(network).to("meta"), (5, 4))
    assert axes_of(group) == dense("gate", "down") | {("up.weight", 0, 1, Role.WEIGHT)}
    assert (group.num_units, group.keeps_zero, group.rectified, group.homogeneous) == (8, True, False, False)
    assert_any_permutation_keeps_the_function(network, (5, 4))


def swish(factor: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    """A network whose hidden units are multiplied by a function of themselves."""

    def forward(network: Any, x: torch.Tensor) -> torch.Tensor:
        hidden = network.first(x)
        return network.last(hidden * factor(hidden))  # type: ignore[no-any-return]

    return Network(forward, first=nn.Linear(4, 8), last=nn.Linear(8, 3))


def test_units_may_open_themselves() -> None:
    network = swish(torch.sigmoid)
    (group,) = unit_groups(copy.deepcopy(network).to("meta"), (5, 4))
    assert axes_of(group) == dense("first", "last")
    assert (group.keeps_zero, group.homogeneous) == (False, False)
    assert_any_permutation_keeps_the_function(network, (5, 4))


@pytest.mark.parametrize("axis", [1, 2])
def test_products_of_other_shapes_move_no_units(axis: int) -> None:
    assert unit_groups(swish(lambda hidden: hidden.mean(axis, True)).to("meta"), (5, 4)) == ()


def test_tokens_share_their_units() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 7), nn.Sigmoid(), nn.Linear(7, 3), nn.Flatten())
    first, second = unit_groups(copy.deepcopy(network).to("meta"), (5, 4))
    assert (axes_of(first), axes_of(second)) == (dense("0", "2"), dense("2", "4"))
    assert (first.keeps_zero, second.keeps_zero, first.rectified) == (True, False, True)
    assert_any_permutation_keeps_the_function(network, (5, 4))


@pytest.mark.parametrize("input_shape", [(2,), (5, 2)])
def test_a_sine_keeps_zero(input_shape: tuple[int, ...]) -> None:
    network = nn.Sequential(nn.Linear(2, 8), Sine(), nn.Linear(8, 7), Sine(), nn.Linear(7, 3))
    first, second = unit_groups(copy.deepcopy(network).to("meta"), input_shape)
    assert (axes_of(first), axes_of(second)) == (dense("0", "2"), dense("2", "4"))
    assert first.keeps_zero
    assert not first.homogeneous
    assert_any_permutation_keeps_the_function(network, input_shape)


@pytest.mark.parametrize("scale", [lambda x: x * x, lambda x: 1 / x, lambda x: x * 0, lambda x: x + 1])
def test_what_is_no_scaling_moves_no_units(scale: Callable[[torch.Tensor], torch.Tensor]) -> None:
    network = Network(lambda m, x: m.last(scale(m.first(x))), first=nn.Linear(4, 8), last=nn.Linear(8, 3))
    assert unit_groups(network.to("meta"), (4,)) == ()


@pytest.mark.parametrize("case", SEQUENCES)
def test_any_permutation_keeps_the_function_of_layers_in_a_row(case: str) -> None:
    network, input_shape = SEQUENCES[case]
    assert_any_permutation_keeps_the_function(copy.deepcopy(network), input_shape)


@pytest.mark.parametrize("name", ["lenet5", "resnet_cifar"])
def test_any_permutation_keeps_the_function_of_an_architecture(name: str) -> None:
    network = ARCHITECTURES[name](**({"depth": 8} if name == "resnet_cifar" else {}))
    assert_any_permutation_keeps_the_function(network, (1, 28, 28) if name == "lenet5" else (3, 32, 32))


def test_a_sigmoid_does_not_keep_zero() -> None:
    with torch.device("meta"):
        (group,) = unit_groups(nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 3)), (4,))
    assert not group.keeps_zero


def test_a_sum_with_a_sigmoid_does_not_keep_zero() -> None:
    network = Network(
        lambda m, x: m.last(m.first(x) + torch.sigmoid(m.second(x))),
        first=nn.Linear(4, 8),
        second=nn.Linear(4, 8),
        last=nn.Linear(8, 3),
    )
    (group,) = unit_groups(network.to("meta"), (4,))
    assert not group.keeps_zero


def test_a_network_whose_path_depends_on_its_input_has_no_groups(capfd: pytest.CaptureFixture[str]) -> None:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.last(m.first(x) if x.sum() > 0 else -m.first(x))  # type: ignore[no-any-return]

    with torch.device("meta"):
        network = Network(forward, first=nn.Linear(4, 8), last=nn.Linear(8, 3)).train()
    assert unit_groups(network, (4,)) == ()
    assert network.training, "its mode is as it was"
    assert capfd.readouterr().err == ""


CONV, HEAD = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(64, 3)
HAZARDS: dict[str, Network] = {
    "mean over as many channels as rows": Network(
        lambda m, x: m.head(m.conv(x).mean(1).flatten(1)), conv=CONV, head=HEAD
    ),
    "pooling over channels": Network(
        lambda m, x: m.head(m.pool(m.conv(x).mean(3)).flatten(1)), conv=CONV, head=HEAD, pool=nn.MaxPool2d(3, 1, 1)
    ),
    "a layer along the rows of each channel": Network(
        lambda m, x: m.head(m.rows(m.conv(x).mean(2)).flatten(1)), conv=CONV, head=HEAD, rows=nn.Linear(8, 8)
    ),
    "flattening units that lie last": Network(
        lambda m, x: m.head(m.rows(x.flatten(1, 2)).flatten(1)), rows=nn.Linear(8, 8), head=HEAD
    ),
    "a mean over units that lie last": Network(
        lambda m, x: m.last(m.rows(x.flatten(1, 2)).mean(2)), rows=nn.Linear(8, 8), last=nn.Linear(8, 3)
    ),
    "a part of a module, called beside it": Network(
        lambda m, x: m.attention(*[m.attention.out_proj(F.relu(m.rows(x.flatten(1, 2))))] * 3)[0].flatten(1)[:, :3],
        rows=nn.Linear(8, 8),
        attention=nn.MultiheadAttention(8, 2),
    ),
    "the weight of a layer, used once more": Network(
        lambda m, x: m.last(m.rows(x.flatten(1, 2)).mean(1)) @ m.last.weight,
        rows=nn.Linear(8, 8),
        last=nn.Linear(8, 3),
    ),
    "a module of two arguments": Network(
        lambda m, x: m.last(m.conv(x), x.size()).flatten(1),
        conv=nn.Conv2d(1, 4, 3, stride=2, padding=1),
        last=nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1),
    ),
}


@pytest.mark.parametrize("case", HAZARDS)
def test_what_moves_over_channels_pins_them(case: str) -> None:
    network = copy.deepcopy(HAZARDS[case])
    assert unit_groups(copy.deepcopy(network).to("meta"), (1, 8, 8)) == ()
    assert_any_permutation_keeps_the_function(network, (1, 8, 8))


def test_a_depthwise_convolution_is_a_scale_of_its_channels() -> None:
    network, input_shape = SEQUENCES["depthwise convolutions"]
    first, _ = unit_groups(copy.deepcopy(network).to("meta"), input_shape)
    assert ("3.weight", 0, 1, Role.SCALE) in axes_of(first)
    assert ("3.bias", 0, 1, Role.SHIFT) in axes_of(first)
    assert not first.rectified
    assert not first.gated


def test_a_second_norm_may_turn_a_negative_shift_positive() -> None:
    layers = [nn.Linear(4, 8), nn.BatchNorm1d(8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)]
    (twice,) = unit_groups(nn.Sequential(*layers).to("meta"), (4,))
    (once,) = unit_groups(nn.Sequential(*layers[:2], *layers[3:]).to("meta"), (4,))
    assert (once.rectified, once.gated) == (True, True)
    assert (twice.rectified, twice.gated) == (False, False)


def test_a_network_of_whole_number_inputs_is_quiet_and_may_have_groups(capfd: pytest.CaptureFixture[str]) -> None:
    with torch.device("meta"):
        embedded = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 3))
    assert unit_groups(embedded, (5,)) == ()
    assert [group.num_units for group in unit_groups(embedded, (5,), torch.int64)] == [6]
    assert capfd.readouterr().err == ""
