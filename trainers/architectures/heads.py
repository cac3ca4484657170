"""Finds the heads of attention in a traced network, by trying what of them each number reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from trainers.hidden_units import Role, UnitAxis, UnitGroup

Usable = Callable[[fx.Node], bool]
"""Whether a node is a fully connected layer that is called once, and whose tensors nothing else uses."""
SHAPES = ("size", "dim", getattr)
"""What asks a tensor for its shape and type, and not for its numbers."""


def head_groups(traced: fx.GraphModule, usable: Usable) -> Iterator[UnitGroup]:
    """Yield the heads of each ``scaled_dot_product_attention`` as units that may be removed, and are not moved.

    Between the layers that compute queries, keys and values and the attention, and between that and the layers that
    read it, there may be any operations without parameters, such as ``permute`` or rotary positions. What they do is
    found by computing them: a head's rows and columns are those places in a row from which NaN spreads to no other
    head. An attention in which this fails, or whose layers are used otherwise, has no group.

    Args:
        traced: the network, whose nodes know shapes and types (``graph.Shapes``).
        usable: tells which layers may have units.
    """
    for node in traced.graph.nodes:
        if node.op == "call_function" and node.target is F.scaled_dot_product_attention:
            try:
                group = _Attention(traced, node, usable).group()
            except Exception:  # operations of a user's own network may raise anything where they are tried
                group = None
            if group is not None:
                yield group


@dataclass(frozen=True)
class _Part:
    """Rows of a layer that compute something of each head, from ``start``, each head's in a row."""

    layer: fx.Node
    start: int
    block: int
    role: Role


class _Attention:
    def __init__(self, traced: fx.GraphModule, node: fx.Node, usable: Usable) -> None:
        self._traced, self._node, self._usable = traced, node, usable
        names = ("query", "key", "value")
        given = dict(zip(names, node.args, strict=False)) | node.kwargs
        self._given = [cast(fx.Node, given[name]) for name in names]
        shapes = [one.meta["shape"] for one in self._given]
        self._num_heads: int = shapes[0][-3]
        self._sizes = {shape[-1] for shape in shapes}
        self._is_equal = all(len(shape) == 4 and shape[-3] == self._num_heads for shape in shapes)
        self._random = torch.Generator().manual_seed(0)
        self._known: dict[fx.Node, Tensor] = {}

    def group(self) -> UnitGroup | None:
        before, sources = self._before()
        after, readers = self._after()
        if not self._is_equal or not sources or not readers or not self._is_closed(before, sources):
            return None
        parts = [part for source in sources for part in self._parts(before, sources, source)]
        axes = [axis for part in parts for axis in self._axes(part)]
        for reader in readers:
            block = self._columns(after, reader)
            axes.append(UnitAxis(tensor=f"{reader.target}.weight", dim=1, block=block, role=Role.READER))
        if {part.layer for part in parts} != set(sources) or not any(part.role is Role.WEIGHT for part in parts):
            return None
        zeros = {source: torch.zeros_like(self._filled(source)) for source in sources}
        (value,) = self._computed(before, zeros, self._given[2:])
        read = self._computed(after, {self._node: torch.zeros_like(self._filled(self._node))}, _inputs(readers))
        return UnitGroup(
            num_units=self._num_heads,
            axes=tuple(axes),
            keeps_zero=not any(one.any() for one in (value, *read)),
            rectified=False,
            gated=False,
            homogeneous=False,
            movable=False,
        )

    def _before(self) -> tuple[set[fx.Node], list[fx.Node]]:
        """The operations that lead to the attention, and the layers at which they begin, in order."""
        inner: set[fx.Node] = set()
        sources: set[fx.Node] = set()
        pending = list(self._given)
        while pending:
            node = pending.pop()
            if self._usable(node):
                sources.add(node)
            elif self._is_operation(node) and node not in inner:
                inner.add(node)
                pending += node.all_input_nodes
        return inner, [node for node in self._traced.graph.nodes if node in sources]

    def _after(self) -> tuple[set[fx.Node], list[fx.Node]]:
        """The operations behind the attention, and the layers that read it: none where anything else does."""
        inner: set[fx.Node] = set()
        readers: set[fx.Node] = set()
        pending = list(self._node.users)
        while pending:
            node = pending.pop()
            if self._usable(node):
                readers.add(node)
            elif not self._is_operation(node):
                return set(), []
            elif node not in inner and not _is_shape(node):
                inner.add(node)
                pending += node.users
        needed = [other for node in inner for other in node.all_input_nodes]
        while needed:  # shapes that these operations ask for
            node = needed.pop()
            if node is not self._node and node not in inner and self._is_operation(node):
                inner.add(node)
                needed += node.all_input_nodes
        return inner, [node for node in self._traced.graph.nodes if node in readers]

    def _is_operation(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            return not self._traced.get_submodule(str(node.target)).state_dict()
        return node.op in ("call_function", "call_method")

    def _is_closed(self, before: set[fx.Node], sources: list[fx.Node]) -> bool:
        """Whether nothing but this attention uses what the layers compute."""
        pending, seen = [user for source in sources for user in source.users], set[fx.Node]()
        while pending:
            node = pending.pop()
            if node is self._node or node in seen or _is_shape(node):
                continue
            if node not in before:
                return False
            seen.add(node)
            pending += node.users
        return not any(one in seen for one in self._node.all_input_nodes if one not in self._given)

    def _parts(self, before: set[fx.Node], sources: list[fx.Node], source: fx.Node) -> list[_Part]:
        """The parts of a layer's rows, queries, keys and values; none if its rows are in no order that is known."""
        num_rows = source.meta["shape"][-1]
        blocks = {*self._sizes, num_rows / self._num_heads}
        for block in sorted(int(block) for block in blocks if num_rows % (block * self._num_heads) == 0):
            whole = self._num_heads * block
            if all(
                self._spreads(before, sources, source, chosen.repeat_interleave(block).repeat(num_rows // whole))
                <= kept
                for chosen, kept in self._choices()
            ):
                return [
                    _Part(source, start, block, self._role(before, sources, source, slice(start, start + whole)))
                    for start in range(0, num_rows, whole)
                ]
        return []

    def _choices(self) -> Iterator[tuple[Tensor, set[int]]]:
        """Sets of heads, as a mask and as numbers: any two heads are told apart both ways."""
        heads = torch.arange(self._num_heads)
        for bit in range((self._num_heads - 1).bit_length()):
            for value in (0, 1):
                chosen = (heads >> bit) & 1 == value
                yield chosen, set(heads[chosen].tolist())

    def _spreads(self, before: set[fx.Node], sources: list[fx.Node], source: fx.Node, rows: Tensor) -> set[int]:
        """The heads in which anything is NaN where ``rows`` of a layer are."""
        found = self._spread(before, sources, source, rows)
        return {head for one in found for head in one.isnan().any(-1).any(-1).any(0).nonzero().flatten().tolist()}

    def _role(self, before: set[fx.Node], sources: list[fx.Node], source: fx.Node, part: slice) -> Role:
        rows = torch.zeros(source.meta["shape"][-1], dtype=torch.bool)
        rows[part] = True
        is_value = self._spread(before, sources, source, rows)[2].isnan().any()
        return Role.WEIGHT if is_value else Role.MIXER

    def _spread(self, before: set[fx.Node], sources: list[fx.Node], source: fx.Node, rows: Tensor) -> list[Tensor]:
        """Queries, keys and values where ``rows`` of a layer are NaN."""
        values = {one: self._filled(one) for one in sources}
        values[source] = values[source].masked_fill(rows, torch.nan)
        return self._computed(before, values, self._given)

    def _columns(self, after: set[fx.Node], reader: fx.Node) -> int:
        """How many columns of a layer read each head.

        Raises:
            ValueError: they are in no order that is known.
        """
        shape = reader.all_input_nodes[0].meta["shape"]
        block = shape[-1] // self._num_heads
        for chosen, _ in self._choices():
            given = self._filled(self._node).masked_fill(chosen[:, None, None], torch.nan)
            (read,) = self._computed(after, {self._node: given}, _inputs([reader]))
            spread = read.isnan().reshape(-1, shape[-1]).any(0)
            if (spread & ~chosen.repeat_interleave(block)).any():
                raise ValueError(f"{reader.target} reads heads out of order")
        return int(block)

    def _axes(self, part: _Part) -> Iterator[UnitAxis]:
        layer = self._traced.get_submodule(str(part.layer.target))
        for name, _ in layer.named_parameters():
            role = Role.BIAS if name == "bias" and part.role is Role.WEIGHT else part.role
            yield UnitAxis(tensor=f"{part.layer.target}.{name}", dim=0, block=part.block, role=role, start=part.start)

    def _computed(self, inner: set[fx.Node], given: Mapping[fx.Node, Tensor], wanted: list[fx.Node]) -> list[Tensor]:
        """Compute ``inner`` from what is given; tensors from elsewhere have random numbers."""
        interpreter = fx.Interpreter(self._traced)
        interpreter.env = values = dict[fx.Node, Any](given)
        needed = {other for node in inner for other in node.all_input_nodes} | set(wanted)
        for node in self._traced.graph.nodes:
            if node in values:
                continue
            if node in inner:
                values[node] = interpreter.run_node(node)
            elif node in needed:
                values[node] = self._filled(node)
        return [values[node] for node in wanted]

    def _filled(self, node: fx.Node) -> Tensor:
        """A tensor of a node's shape and type on the CPU, with numbers that are not zero; always the same ones."""
        if node not in self._known:
            shape, dtype = node.meta["shape"], node.meta["dtype"]
            random = 0.5 + torch.rand(shape, generator=self._random) if dtype.is_floating_point else torch.ones(shape)
            self._known[node] = random.to(dtype)
        return self._known[node].clone()  # which operations in place may change


def _inputs(readers: list[fx.Node]) -> list[fx.Node]:
    return [reader.all_input_nodes[0] for reader in readers]


def _is_shape(node: fx.Node) -> bool:
    return node.target in SHAPES and "shape" not in node.meta
