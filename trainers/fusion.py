"""Fuses trained networks into one: hidden units are matched by optimal transport, then averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainers.hidden_units import Role, UnitAxis, UnitGroup
from trainers.methods.parts.backend import weight_names
from trainers.methods.parts.sensitivities import sensitivities

_COMPARED = (Role.WEIGHT, Role.BIAS, Role.SCALE, Role.SHIFT)
_MOST_NAMED = 3

Array = npt.NDArray[Any]
Plan = npt.NDArray[np.int64]
"""(n, m): how much of each of n units goes to each of m others. Whole numbers: rows sum to m, columns to n."""


def transport(cost_NM: npt.NDArray[np.float64], /) -> Plan:
    """The plan of least cost between n and m units; all units of one side weigh the same.

    For n = m it is a permutation; else it solves a linear program, whose vertices are whole because its margins are.
    """
    import scipy.sparse  # slow to import, and few trainings fuse networks
    from scipy.optimize import linear_sum_assignment, linprog

    n, m = cost_NM.shape
    if n == m:
        rows, columns = linear_sum_assignment(cost_NM)
        plan = np.zeros((n, m), np.int64)
        plan[rows, columns] = n
        return plan
    margins = scipy.sparse.vstack(
        [
            scipy.sparse.kron(scipy.sparse.eye_array(n), np.ones((1, m))),
            scipy.sparse.kron(np.ones((1, n)), scipy.sparse.eye_array(m)),
        ]
    )
    masses = np.concatenate([np.full(n, m), np.full(m, n)])
    # dual simplex: it ends at a vertex, which another algorithm need not
    found = linprog(cost_NM.ravel(), A_eq=margins.tocsr(), b_eq=masses, method="highs-ds")
    assert found.status == 0, found.message
    rounded: Plan = np.rint(found.x).astype(np.int64).reshape(n, m)
    return rounded


def fuse(networks: Sequence[Mapping[str, Tensor]], plain: nn.Module, groups: Sequence[UnitGroup]) -> dict[str, Tensor]:
    """The mean of networks that differ from ``plain`` in their widths alone, after matching their units.

    Layer by layer, with T the plan between the units of a network, which weigh alpha each, and those of the result,
    which weigh beta each:

        W^ = W T' diag(1/alpha') ,  T = plan for the distances between rows of W^ and of the reference ,
        W~ = diag(1/beta) T^T W^

    where ' marks the layer before. A unit is compared by its row, its bias, and the scale and shift of its norm. The
    reference is the first network that has the widths of ``plain``. If there is none, it is the first network, with
    each layer's most sensitive units in place of all (repeated if ``plain`` is wider).

    The paper has 1/beta' where we have 1/alpha'. Equal widths make no difference. Where n units become m, ours adds up
    the weights that read merged units and divides those that read split units. This keeps the layer's function if
    merged units are equal; the paper's would scale it by m/n.

    Args:
        networks: each a ``state_dict`` of ``shapes_at_widths``, whose counters of batches may be missing.
        plain: the architecture of the result, on any device.
        groups: its hidden units, from ``unit_groups``.

    Returns:
        The ``state_dict`` of the result, without counters where the reference has none.

    Raises:
        ValueError: units of the architecture cannot be matched.

    References:
        Singh, Jaggi 2020, "Model Fusion via Optimal Transport", NeurIPS, arXiv 1910.05653, algorithm 1, with the
        activations replaced by weights.
    """
    from scipy.spatial.distance import cdist  # slow to import

    _check_traced(plain, groups)
    like = plain.state_dict()
    sources = [{name: tensor.double().numpy() for name, tensor in network.items()} for network in networks]
    widths = [_widths(source, groups) for source in sources]
    wanted = [group.num_units for group in groups]
    reference = widths.index(wanted) if wanted in widths else 0
    plans: list[dict[int, Plan]] = [{} for _ in sources]
    for index in _in_order(groups):
        rows = [_rows(source, groups, index, plan) for source, plan in zip(sources, plans, strict=True)]
        scores = sensitivities(networks[reference], groups[index])
        order = scores.argsort(descending=True, stable=True).numpy()
        chosen = rows[reference][np.sort(np.resize(order, wanted[index]))]
        for plan, own in zip(plans, rows, strict=True):
            plan[index] = transport(cdist(own, chosen))
    fused: dict[str, Tensor] = {}
    for name, tensor in like.items():
        if not tensor.is_floating_point():
            if name in networks[reference]:
                fused[name] = networks[reference][name].clone()
            continue
        carried = [
            _carried(source[name], _axes_of(groups, name), plan) for source, plan in zip(sources, plans, strict=True)
        ]
        fused[name] = torch.from_numpy(np.mean(carried, axis=0).reshape(tensor.shape)).to(tensor.dtype)
    return fused


def _check_traced(plain: nn.Module, groups: Sequence[UnitGroup]) -> None:
    """Refuse a network in which units would be averaged without having been matched."""
    matched = {axis.tensor for group in groups for axis in group.axes if axis.role is not Role.READER}
    unmatched = [name for name in plain.state_dict() if name in weight_names(plain) - matched]
    if not groups or len(unmatched) > 1:  # one layer computes the outputs
        held = f"only some ({', '.join(unmatched[:_MOST_NAMED])} compute others)" if groups else "none"
        raise ValueError(
            f"init_from: fusion matches hidden units that tracing finds, and of this architecture it finds {held}: "
            "wanted layers of torch.nn, fully connected or convolutions, with batch norms and activations"
        )


def shapes_at_widths(
    given: Mapping[str, Tensor], plain: nn.Module, groups: Sequence[UnitGroup]
) -> dict[str, tuple[int, ...]]:
    """The shapes of ``plain`` at the widths of ``given``; the first tensor that computes a group gives its width."""
    shapes = {name: list(tensor.shape) for name, tensor in plain.state_dict().items()}
    for group in groups:
        first = next(axis for axis in group.axes if axis.role is Role.WEIGHT)
        found = given.get(first.tensor)
        if found is not None and found.ndim and len(found):
            for axis in group.axes:
                shapes[axis.tensor][axis.dim] = len(found) * axis.block
    return {name: tuple(shape) for name, shape in shapes.items()}


def _widths(source: Mapping[str, Array], groups: Sequence[UnitGroup]) -> list[int]:
    """The number of units that a network has in each group."""
    return [source[group.axes[0].tensor].shape[group.axes[0].dim] // group.axes[0].block for group in groups]


def _in_order(groups: Sequence[UnitGroup]) -> Iterator[int]:
    """Yield the index of each group once a layer that computes it reads none of the groups that are left.

    The first layer of the network that computes any of the groups left is always such a layer.
    """
    pending = dict(enumerate(groups))
    while pending:
        unsettled = {axis.tensor for group in pending.values() for axis in group.axes if axis.role is Role.READER}
        ready = (
            index
            for index, group in pending.items()
            if any(axis.role is Role.WEIGHT and axis.tensor not in unsettled for axis in group.axes)
        )
        yield (index := next(ready))
        del pending[index]


def _rows(source: Mapping[str, Array], groups: Sequence[UnitGroup], index: int, plans: Mapping[int, Plan]) -> Array:
    """For each unit of a group, the values that compute it (units, values), their inputs matched to the result's units.

    A layer is left out if its inputs are not matched yet. This happens within a residual block, because the first layer
    that adds to its stream is enough to match the stream.
    """
    rows: list[Array] = []
    for axis in groups[index].axes:
        before = [(other, one) for other, one in _axes_of(groups, axis.tensor) if one.role is Role.READER]
        if axis.role in _COMPARED and all(other in plans for other, _ in before):
            values = np.moveaxis(_by_unit(_carried(source[axis.tensor], before, plans), axis), axis.dim, 0)
            rows.append(values.reshape(len(values), -1))
    return np.concatenate(rows, axis=1)


def _axes_of(groups: Sequence[UnitGroup], name: str) -> list[tuple[int, UnitAxis]]:
    """The unit axes of one tensor, each with the index of its group."""
    return [(index, axis) for index, group in enumerate(groups) for axis in group.axes if axis.tensor == name]


def _carried(values: Array, axes: Sequence[tuple[int, UnitAxis]], plans: Mapping[int, Plan]) -> Array:
    """A tensor whose units along ``axes``, each with the index of its group, are replaced by those of the result."""
    for index, axis in axes:
        n, m = plans[index].shape
        # T / alpha for what is read, T / beta for what is computed: rows of the plan sum to m, columns to n
        weights_NM = plans[index] / (m if axis.role is Role.READER else n)
        by_unit = np.moveaxis(np.tensordot(_by_unit(values, axis), weights_NM, (axis.dim, 0)), -1, axis.dim)
        values = by_unit.reshape(*values.shape[: axis.dim], m * axis.block, *values.shape[axis.dim + 1 :])
    return values


def _by_unit(values: Array, axis: UnitAxis) -> Array:
    """``values`` with the axis of the units split into (units, block)."""
    return values.reshape(*values.shape[: axis.dim], -1, axis.block, *values.shape[axis.dim + 1 :])
