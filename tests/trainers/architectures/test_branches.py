"""Branches are found where a layer is added to what it was computed from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.trainers.tracing import all_groups
from trainers.architectures.gpt import gpt


class Stream(nn.Module):
    """A layer, and a branch that a test adds to it."""

    def __init__(self, added: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.up, self.down, self.last = (nn.Linear(4, 4) for _ in range(4))
        self.dropout = nn.Dropout(0.1)
        self.added = added

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.added(self, self.first(x)))  # type: ignore[no-any-return]


def branches_of(network: nn.Module, *shape: int, dtype: torch.dtype = torch.float32) -> list[list[str]]:
    groups = all_groups(network.to("meta"), shape, dtype)
    return [[axis.tensor for axis in group.axes] for group in groups if group.is_branch]


def test_gpt_has_the_branches_of_its_blocks_in_order() -> None:
    found = branches_of(gpt(num_outputs=7, context=8, layers=2, width=16, heads=4), 8, dtype=torch.int64)
    assert found == [[f"blocks.{block}.{last}.weight"] for block in (0, 1) for last in ("attention.out", "mlp.down")]


@pytest.mark.parametrize(
    "added",
    [
        lambda m, x: x + m.down(F.gelu(m.up(x))),
        lambda m, x: m.down(F.gelu(m.up(x))) + x,
        lambda m, x: x + m.dropout(m.down(F.gelu(m.up(x)))),
    ],
    ids=["behind", "before", "dropped out"],
)
def test_a_branch_is_on_either_side_of_the_sum(added: Callable[[Any, Tensor], Tensor]) -> None:
    assert branches_of(Stream(added), 5, 4) == [["down.weight", "down.bias"]]


@pytest.mark.parametrize(
    "added",
    [
        lambda m, x: x + F.gelu(m.down(m.up(x))),
        lambda m, x: m.up(x) + m.down(x),
        lambda m, x: torch.add(x, m.down(x), alpha=2),
        lambda m, x: (lambda y: x + y * y.mean() + y)(m.down(x)),
        lambda m, x: x.mean(1, keepdim=True) + m.down(x),
    ],
    ids=["an activation last", "no stream", "scaled", "read twice", "of another shape"],
)
def test_what_is_no_branch_is_none(added: Callable[[Any, Tensor], Tensor]) -> None:
    assert branches_of(Stream(added), 5, 4) == []
