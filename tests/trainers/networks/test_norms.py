"""Batch norms that may be folded, and those that may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.zoo import norms as zoo
from trainers.networks.norms import batch_norms, fold, fold_norms, foldable, is_folded, unfold

SHAPE = (1, 4, 4)


def trained(made: Callable[..., nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    network = made(input_shape=SHAPE, num_outputs=3)
    network.train()
    for _ in range(3):
        network(torch.randn(16, *SHAPE))
    return network.eval()


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (zoo.activated_norm, {"2."}),
        (zoo.offset_norm, set()),
        (zoo.reads_statistics, set()),
        (zoo.functional_norm, set()),
        (zoo.norm_without_affine, set()),
        (zoo.norm_without_statistics, set()),
        (zoo.seldom_normed, {"common.", "told."}),
        (zoo.empty_batch_norm, set()),
    ],
)
def test_a_norm_is_folded_only_if_it_computes_as_a_norm_and_nothing_else_reads_it(
    made: Callable[..., nn.Module], wanted: set[str]
) -> None:
    network = trained(made)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert foldable(network, torch.rand(4, *SHAPE)) == wanted
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_norms_of_every_shape_are_foldable() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 3, 1),
        nn.BatchNorm2d(3),
        nn.Flatten(2),
        nn.BatchNorm1d(3),
        nn.Unflatten(2, (4, 4, 1)),
        nn.BatchNorm3d(3),
    )
    assert foldable(network, torch.randn(2, *SHAPE)) == {"1.", "3.", "5."} == set(batch_norms(network))


def test_a_folded_norm_computes_the_same_and_unfolding_gives_it_back() -> None:
    norm = nn.BatchNorm1d(3)
    norm(torch.randn(64, 3) * torch.tensor([0.1, 1, 30]) + 5)
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    network = nn.Sequential(norm).eval()
    inputs = torch.randn(8, 3)
    wanted = network(inputs)
    state = network.state_dict()
    folded = fold_norms(batch_norms(network), state)
    assert is_folded("0.", {**state, **folded})
    assert not is_folded("0.", state)
    back = unfold(norm, folded["0.weight"], folded["0.bias"])
    torch.testing.assert_close(back["weight"], state["0.weight"])
    torch.testing.assert_close(back["bias"], state["0.bias"])
    network.load_state_dict({**state, **folded})
    torch.testing.assert_close(network(inputs), wanted)


def test_folding_keeps_the_dtype() -> None:
    norm = nn.BatchNorm1d(3, dtype=torch.bfloat16)
    assert {values.dtype for values in fold(norm, dict(norm.state_dict())).values()} == {torch.bfloat16}
