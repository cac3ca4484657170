"""Finds the branches of a traced network that are added to what they begin with, so that it does without them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator

import torch
from torch import fx, nn
from torch.nn import functional as F

from trainers.hidden_units import Role, UnitAxis, UnitGroup

ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
_DROPOUTS = (nn.Dropout, nn.Identity, F.dropout)


def branch_groups(traced: fx.GraphModule, usable: Callable[[fx.Node], bool]) -> Iterator[UnitGroup]:
    """Yield each branch whose last layer is fully connected, in the order of the network, as one unit.

    It is removed with that layer's weights and bias: what the branch began with passes on as it is. Whatever computes
    the branch is dead then, which ``trainers.arrange`` empties.

    Args:
        traced: the network, whose nodes know shapes (``graph.Shapes``).
        usable: tells which layers are called once, with tensors that nothing else uses.
    """
    for node in traced.graph.nodes:
        is_sum = node.op in ("call_function", "call_method") and node.target in ADDITIONS
        if not is_sum or len(node.all_input_nodes) != 2 or len(node.args) != 2 or node.kwargs:
            continue
        first, second = node.all_input_nodes
        for begin, end in ((first, second), (second, first)):
            last = _last_layer(traced, end)
            if usable(last) and begin.meta.get("shape") == end.meta.get("shape") and _leads_to(begin, last):
                layer = traced.get_submodule(str(last.target))
                axes = [
                    UnitAxis(tensor=f"{last.target}.{name}", dim=0, block=len(one), role=Role.BRANCH)
                    for name, one in layer.named_parameters()
                ]
                yield UnitGroup(
                    num_units=1,
                    axes=tuple(axes),
                    keeps_zero=True,
                    rectified=False,
                    gated=False,
                    homogeneous=False,
                    movable=False,
                    removable=False,
                )


def _last_layer(traced: fx.GraphModule, node: fx.Node) -> fx.Node:
    """The node behind whose dropout this one is, if only that follows it."""
    kind = type(traced.get_submodule(str(node.target))) if node.op == "call_module" else node.target
    while kind in _DROPOUTS and len(node.users) == 1:
        node = node.all_input_nodes[0]
        kind = type(traced.get_submodule(str(node.target))) if node.op == "call_module" else node.target
    return node if len(node.users) == 1 else node.graph.output_node()


def _leads_to(begin: fx.Node, end: fx.Node) -> bool:
    """Whether ``end`` is computed from ``begin``."""
    pending, seen = [end], set[fx.Node]()
    while pending:
        node = pending.pop()
        if node is begin:
            return True
        if node not in seen:
            seen.add(node)
            pending += node.all_input_nodes
    return False
