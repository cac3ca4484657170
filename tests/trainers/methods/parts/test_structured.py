"""Networks without some of their units compute what is left, and cost what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.methods.contexts import context_of
from tests.trainers.tracing import all_groups, unit_groups
from tests.trainers.trials import attach, configuration
from trainers.architectures import ARCHITECTURES
from trainers.architectures.base import build, build_on_meta, layout_of
from trainers.architectures.gpt import gpt
from trainers.arrange import arrange
from trainers.coding import container
from trainers.hidden_units import Role, UnitAxis, UnitGroup
from trainers.methods.parts.grid import grid_points
from trainers.methods.parts.pruning import VALUE_BITS
from trainers.methods.parts.structured import along, kept_bits, removable, without_units

NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "cnn": ("cnn", {"input_shape": [1, 8, 8], "num_outputs": 10, "channels": [4, 6]}, (1, 8, 8)),
    "mlp": ("mlp", {"input_shape": [6], "num_outputs": 3, "hidden": [9, 8, 7]}, (6,)),
    "resnet_cifar": ("resnet_cifar", {"depth": 8, "width": 4}, (3, 32, 32)),
}


def masks_of(groups: Sequence[UnitGroup]) -> list[Tensor]:
    """Two of three units are kept."""
    return [torch.arange(group.num_units) % 3 != 1 for group in groups]


def randomised(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if "running_var" in name else torch.randn_like(tensor) / 4)
    return network.eval()


def test_along_reaches_every_index_of_a_unit() -> None:
    rows = UnitAxis(tensor="0.weight", dim=0, block=1, role=Role.WEIGHT)
    columns = UnitAxis(tensor="3.weight", dim=1, block=4, role=Role.READER)  # a 2x2 image of each channel is flattened
    assert along(torch.tensor([1, 2, 3]), rows, (3, 1, 2, 2)).shape == (3, 1, 1, 1)
    assert along(torch.tensor([1, 2, 3]), columns, (5, 12)).tolist() == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]


def test_units_may_lie_on_a_part_of_an_axis() -> None:
    values = UnitAxis(tensor="first.weight", dim=0, block=2, role=Role.WEIGHT, start=3)
    factors = along(torch.tensor([5, 6]), values, (8, 1))
    assert factors.flatten().tolist() == [1, 1, 1, 5, 5, 6, 6, 1]


def test_a_head_costs_its_rows_and_columns() -> None:
    plain = gpt(num_outputs=7, context=8, layers=1, width=16, heads=4).to("meta")
    heads = [group for group in all_groups(plain, (8,), torch.int64) if not group.movable and group.removable]
    everything, fewer = (kept_bits(plain, heads, [torch.tensor([True, True, left, left])]) for left in (True, False))
    assert everything == VALUE_BITS * sum(parameter.numel() for parameter in plain.parameters())
    assert everything - fewer == VALUE_BITS * 2 * (3 * 4 * 16 + 16 * 4)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_left_computes_as_if_nothing_read_removed_units(name: str) -> None:
    architecture, arguments, input_shape = NETWORKS[name]
    groups = unit_groups(build_on_meta(architecture, ARCHITECTURES[architecture], arguments), input_shape)
    network = randomised(build(architecture, ARCHITECTURES[architecture], arguments))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    kept = masks_of(groups)
    unread = dict(before)
    for group, mask in zip(groups, kept, strict=True):
        for axis in group.axes:
            if axis.role is Role.READER:
                unread[axis.tensor] = unread[axis.tensor] * along(mask, axis, before[axis.tensor].shape)
    x = torch.randn(3, *input_shape)
    wanted = torch.func.functional_call(network, unread, (x,))
    changed = without_units(before, groups, kept)
    torch.testing.assert_close(torch.func.functional_call(network, changed, (x,)), wanted)
    assert not torch.allclose(network(x), wanted)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert list(changed) == list(before)


def test_a_removed_unit_adds_nothing_even_where_its_activation_is_not_zero_at_zero() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2))
    groups = unit_groups(network.to("meta"), (4,))
    network = randomised(network.to_empty(device="cpu"))
    changed = without_units(network.state_dict(), groups, [torch.zeros(3, dtype=torch.bool)])
    found = torch.func.functional_call(network, changed, (torch.randn(5, 4),))
    torch.testing.assert_close(found, network[2].bias.expand(5, 2))


def size_bytes(arguments: dict[str, Any], *, state: dict[str, Tensor]) -> int:
    plain = build_on_meta("mlp", ARCHITECTURES["mlp"], arguments)
    groups = unit_groups(plain, tuple(arguments["input_shape"]))
    ((_, sections),) = grid_points(context_of(plain), state, [0.25])
    header = container.Header(method="ptq", method_version=1, architecture="mlp", arguments=arguments)
    return len(container.write(header, layout_of(plain), arrange(sections, groups)))


def test_no_positions_are_stored() -> None:
    """A wide network without half of its units takes hardly more bytes than a network of that width."""
    wide = {"input_shape": [32], "num_outputs": 10, "hidden": [120, 80]}
    narrow = {"input_shape": [32], "num_outputs": 10, "hidden": [60, 40]}
    plain = build_on_meta("mlp", ARCHITECTURES["mlp"], wide)
    groups = unit_groups(plain, (32,))
    torch.manual_seed(0)
    state = randomised(build("mlp", ARCHITECTURES["mlp"], wide)).state_dict()
    kept = [torch.randperm(group.num_units) < group.num_units // 2 for group in groups]
    first, second = kept
    dense = dict(state)
    for layer, rows, columns in (("1", first, None), ("3", second, first), ("5", None, second)):
        weight, bias = state[f"{layer}.weight"], state[f"{layer}.bias"]
        weight = weight if columns is None else weight[:, columns]
        dense[f"{layer}.weight"] = weight if rows is None else weight[rows]
        dense[f"{layer}.bias"] = bias if rows is None else bias[rows]
    removed, small = size_bytes(wide, state=without_units(state, groups, kept)), size_bytes(narrow, state=dense)
    assert removed <= 1.03 * small  # adaptive contexts, which leave zeros out, are learned; a table may be smaller
    assert removed < 0.45 * size_bytes(wide, state=state)


def test_kept_bits_count_what_is_left_and_follow_probabilities() -> None:
    plain = nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 3)).to("meta")
    groups = unit_groups(plain, (10,))
    half = torch.full((8,), 0.5, requires_grad=True)
    expected = kept_bits(plain, groups, [half])
    assert expected.item() == 4 * (4 * (10 + 1 + 3) + 3)
    assert kept_bits(plain, groups, [torch.arange(8) < 4]).item() == expected.item()
    expected.backward()  # type: ignore[no-untyped-call]
    assert half.grad is not None
    torch.testing.assert_close(half.grad, torch.full((8,), 4.0 * (10 + 1 + 3)))


def test_a_network_without_hidden_units_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^the network has no hidden units to remove: wanted ") as caught:
        removable(attach(configuration("ptq", "odd")).context)
    assert "\n" not in str(caught.value)
