"""Finds the channels that a layer norm scales and layers read: those that nothing reads need no scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import fx, nn

from trainers.hidden_units import Role, UnitAxis, UnitGroup

_NORMS = (nn.LayerNorm, nn.RMSNorm)


def normed_groups(traced: fx.GraphModule, usable: Callable[[fx.Node], bool]) -> Iterator[UnitGroup]:
    """Yield the outputs of each layer or RMS norm over one axis that fully connected layers read, and nothing else.

    They are places of a width that other parts of the network share, so they are neither moved nor removed: a scale is
    emptied where no layer reads it, and columns are emptied that read a scale and shift of zero.

    Args:
        traced: the network.
        usable: tells which layers are called once, with tensors that nothing else uses.
    """
    called = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    for node in traced.graph.nodes:
        if node.op != "call_module" or called.count(node.target) > 1:
            continue
        norm = traced.get_submodule(str(node.target))
        if not isinstance(norm, _NORMS) or len(norm.normalized_shape) != 1 or norm.weight is None:
            continue
        if node.users and all(map(usable, node.users)):
            roles = {"weight": Role.SCALE, "bias": Role.SHIFT}
            scaled = [
                UnitAxis(tensor=f"{node.target}.{name}", dim=0, block=1, role=roles[name]) for name in norm.state_dict()
            ]
            readers = [
                UnitAxis(tensor=f"{reader.target}.weight", dim=1, block=1, role=Role.READER) for reader in node.users
            ]
            yield UnitGroup(
                num_units=norm.normalized_shape[0],
                axes=(*scaled, *readers),
                keeps_zero=True,
                rectified=False,
                gated=True,
                homogeneous=False,
                movable=False,
                removable=False,
            )
