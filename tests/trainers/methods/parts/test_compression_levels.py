"""What a level of compression does to weights, where it lies on a line, and which levels are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.trainers.tracing import unit_groups
from trainers.architectures.base import build_on_meta
from trainers.architectures.mlp import mlp
from trainers.methods.lcs import CompressibleSubspace
from trainers.methods.parts.compression_levels import check_levels, narrow, position, prune, quantise, rounded


def test_pruning_keeps_the_largest_and_one_at_least() -> None:
    weight = torch.tensor([[0.1, -4.0, 2.0], [-0.3, 1.0, 0.2]], requires_grad=True)
    assert prune(weight, 0.5).tolist() == [[0, -4, 2], [0, 1, 0]]
    assert prune(weight, 1e-6).tolist() == [[0, -4, 0], [0, 0, 0]]
    assert torch.equal(prune(weight, 1.0), weight)
    prune(weight, 0.5).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[0, 1, 1], [0, 1, 0]]
    assert prune(torch.zeros(0, 3), 0.5).shape == (0, 3)
    assert prune(torch.tensor([1.0, -2.0, 1.0, -1.0]), 0.5).tolist() == [1, -2, 0, 0], "of equal ones the first"


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_rounding_is_to_whole_steps_within_bits_and_gradients_pass_straight_through(bits: int) -> None:
    torch.manual_seed(0)
    weight = torch.cat([torch.randn(2000), torch.tensor([-20.0, 20.0])]).requires_grad_()
    whole, step = rounded({"w": weight.detach()}, bits)["w"]
    assert torch.equal(whole, whole.round())
    assert (whole.min(), whole.max()) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert float(step) == float(step.half())
    found = quantise({"w": weight}, bits)["w"]
    assert torch.equal(found, whole * step)
    found.sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_a_narrowed_network_is_the_smaller_one() -> None:
    torch.manual_seed(0)
    wide = mlp(input_shape=(5,), hidden=[20, 4], num_outputs=3)
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.copy_(torch.randn_like(parameter))
    groups = unit_groups(build_on_meta("mlp", mlp, {"input_shape": [5], "hidden": [20, 4], "num_outputs": 3}), (5,))
    narrowed = narrow(dict(wide.named_parameters()), groups, 0.55)
    small = mlp(input_shape=(5,), hidden=[11, 3], num_outputs=3)  # 0.55 * 20 is above 11 in floats
    shapes = {name: parameter.shape for name, parameter in small.named_parameters()}
    for name, shape in shapes.items():
        kept = narrowed[name][tuple(slice(size) for size in shape)]
        assert torch.equal(kept, wide.get_parameter(name)[tuple(slice(size) for size in shape)])
        assert narrowed[name].count_nonzero() == kept.numel(), "everything else is zero"
        small.get_parameter(name).data.copy_(kept)
    inputs = torch.randn(7, 5)
    torch.testing.assert_close(torch.func.functional_call(wide, narrowed, (inputs,)), small(inputs))


def test_shares_of_weights_grow_geometrically_along_the_line_and_the_others_in_proportion() -> None:
    assert [position("unstructured", level, (0.01, 0.1, 1.0)) for level in (0.01, 0.1, 1.0)] == [0, 0.5, 1]
    assert [position("quantised", level, (3, 4, 7)) for level in (3, 4, 7)] == [0, 0.25, 1]
    assert [position("structured", level, (0.25, 1.0)) for level in (0.25, 0.4375, 1.0)] == [0, 0.25, 1]
    assert position("unstructured", 0.5, (0.5,)) == 1


@pytest.mark.parametrize(
    ("kind", "levels", "message"),
    [
        ("unstructured", [0.5], "levels is [0.5]: wanted 'default' or a list of 2 to 32 numbers, such as [0.025, 0.05];"
                                " in a sweep, where lists are choices, [[0.025, 0.05]]"),
        ("unstructured", "all", "levels is 'all': wanted 'default' or a list"),
        ("unstructured", 0.5, "levels is 0.5: wanted 'default' or a list"),
        ("unstructured", [0.0, 1.0], "levels[0] is 0.0: wanted a number above 0 and at most 1"),
        ("structured", [0.5, 1.5], "levels[1] is 1.5: wanted a number above 0 and at most 1"),
        ("quantised", [3, 4.0], "levels[1] is 4.0: wanted a whole number of at least 2 and at most 8"),
        ("quantised", [1, 4], "levels[0] is 1: wanted a whole number of at least 2 and at most 8"),
        ("quantised", [4, 3], "levels is [4, 3]: wanted each once, the most compressed first"),
        ("structured", [0.5, 0.5], "levels is [0.5, 0.5]: wanted each once, the most compressed first"),
        ("unstructured", [0.1, 0.100005], "levels is [0.1, 0.100005]: wanted each once, the most compressed first, and "
                                          "told apart by float16"),
        ("unstructured", [1e-8, 0.5], "levels is [1e-08, 0.5]: wanted each once"),
    ],
)  # fmt: skip
def test_levels_are_checked(kind: str, levels: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        CompressibleSubspace(compression=kind, subspace="line", levels=levels)
    assert str(caught.value).startswith(message)
    check_levels("unstructured", [0.5], at_least=1)
