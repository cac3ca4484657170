"""Heads of attention are found by what reaches what, and units that norms scale by who reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.trainers.tracing import all_groups
from trainers.architectures.gpt import gpt
from trainers.hidden_units import Role, UnitGroup

WIDTH, HEADS, TOKENS = 12, 3, 5


class Attention(nn.Module):
    """Attention whose heads are split off, and joined again, by functions that a test gives."""

    def __init__(
        self,
        split: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
        *,
        rows: int = 3 * WIDTH,
        join: Callable[[Tensor], Tensor] = lambda mixed: mixed.transpose(1, 2).flatten(2),
    ) -> None:
        super().__init__()
        self.first, self.out, self.last = nn.Linear(4, rows), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)
        self.split, self.join = split, join

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.split(self.first(x))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.last(self.out(self.join(mixed)))  # type: ignore[no-any-return]


def by_kind(parts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows are all queries, all keys, all values."""
    query, key, value = parts.chunk(3, -1)
    return heads(query), heads(key), heads(value)


def by_head(parts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows are queries, keys and values of the first head, and so on."""
    query, key, value = parts.unflatten(-1, (HEADS, 3, -1)).permute(3, 0, 2, 1, 4)
    return query, key, value


def heads(rows: Tensor) -> Tensor:
    return rows.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def interleaved(parts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Neighbouring rows belong to different heads."""
    query, key, value = (part.unflatten(-1, (-1, HEADS)).permute(0, 3, 1, 2) for part in parts.chunk(3, -1))
    return query, key, value


def groups_of(network: nn.Module) -> list[UnitGroup]:
    return [group for group in all_groups(network.to("meta"), (TOKENS, 4)) if not group.movable and group.removable]


def places(group: UnitGroup) -> set[tuple[str, int, int, int, Role]]:
    return {(axis.tensor, axis.dim, axis.start, axis.block, axis.role) for axis in group.axes}


def test_heads_of_rows_by_kind_have_their_queries_keys_and_values() -> None:
    (group,) = groups_of(Attention(by_kind))
    roles = zip((0, WIDTH, 2 * WIDTH), (Role.MIXER, Role.MIXER, Role.WEIGHT), strict=True)
    rows = {("first.weight", 0, start, 4, role) for start, role in roles}
    biases = {("first.bias", 0, start, 4, Role.MIXER) for start in (0, WIDTH)}
    wanted = rows | biases | {("first.bias", 0, 2 * WIDTH, 4, Role.BIAS), ("out.weight", 1, 0, 4, Role.READER)}
    assert places(group) == wanted
    assert (group.num_units, group.keeps_zero) == (HEADS, True)


def test_heads_of_rows_by_head_are_one_part() -> None:
    (group,) = groups_of(Attention(by_head))
    assert places(group) == {
        ("first.weight", 0, 0, 12, Role.WEIGHT),
        ("first.bias", 0, 0, 12, Role.BIAS),
        ("out.weight", 1, 0, 4, Role.READER),
    }


@pytest.mark.parametrize(
    "network",
    [
        Attention(interleaved),
        Attention(by_kind, join=lambda mixed: mixed.permute(0, 2, 3, 1).flatten(2)),
        Attention(by_kind, join=lambda mixed: mixed.transpose(1, 2).flatten(2).softmax(-1)),
        Attention(lambda parts: tuple(heads(part) for part in parts.softmax(-1).chunk(3, -1))),  # type: ignore[arg-type]
        Attention(lambda parts: (heads(parts), heads(parts.flip(1)), heads(parts.mean(-1, True) + parts)), rows=WIDTH),
    ],
    ids=["interleaved", "read across", "joined", "mixed before", "values of all heads"],
)
def test_what_mixes_heads_has_no_group(network: Attention) -> None:
    assert groups_of(network) == []


def test_layers_that_something_else_reads_have_no_heads() -> None:
    class Twice(Attention):
        def forward(self, x: Tensor) -> Tensor:
            rows = self.first(x)
            query, key, value = by_kind(rows)
            mixed = F.scaled_dot_product_attention(query, key, value)
            return self.last(self.out(self.join(mixed)) + rows.mean(-1, keepdim=True))  # type: ignore[no-any-return]

    assert groups_of(Twice(by_kind)) == []


def test_a_head_that_is_not_zero_where_its_values_are_does_not_keep_zero() -> None:
    def shifted(mixed: Tensor) -> Tensor:
        return mixed.transpose(1, 2).flatten(2) + 1

    (group,) = groups_of(Attention(by_kind, join=shifted))
    assert not group.keeps_zero


@pytest.mark.parametrize("settings", [{}, {"positions": "rotary", "norm": "rms"}, {"activation": "swiglu"}])
def test_gpt_has_heads_and_scales_in_each_block(settings: dict[str, Any]) -> None:
    plain = gpt(num_outputs=7, context=8, layers=2, width=16, heads=4, **settings).to("meta")
    groups = all_groups(plain, (8,), torch.int64)
    heads_of = [group for group in groups if not group.movable and group.removable]
    assert [group.num_units for group in heads_of] == [4, 4]
    assert all(group.keeps_zero for group in heads_of)
    scaled = [group for group in groups if group.axes[0].role is Role.SCALE]
    assert [group.axes[0].tensor for group in scaled] == [
        f"blocks.{block}.norm_{norm}.weight" for block in (0, 1) for norm in (1, 2)
    ]


def test_a_norm_whose_output_something_else_uses_has_no_group() -> None:
    class Stream(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.up = nn.LayerNorm(4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            normed = self.norm(x)
            return normed + self.up(normed)  # type: ignore[no-any-return]

    groups = all_groups(Stream().to("meta"), (TOKENS, 4))
    assert not any(axis.role is Role.SCALE for group in groups for axis in group.axes)
