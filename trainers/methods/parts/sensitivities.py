"""How much each hidden unit can matter to the next layer, whatever the data: the scores by which units are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from trainers.hidden_units import Role, UnitAxis, UnitGroup


def sensitivities(state: Mapping[str, Tensor], group: UnitGroup) -> Tensor:
    """Sensitivity s_j of each unit, (num_units,): the most it can matter to a unit that reads it, whatever the data.

        s_j = max_k |w_kj| ||v_j||

    with w_kj the weight with which unit k of a next layer reads unit j, and v_j what computes that: its incoming
    weights and bias, or where a batch norm undoes their scale, the norm's scale and shift. A kernel counts as its norm;
    so does all that k reads of j after flattening, or of a head of attention, whose v_j are its values: queries and
    keys only weigh them. A norm without parameters makes all ||v_j|| alike.

    Args:
        state: a ``state_dict``.
        group: hidden units of its network.

    References:
        Mussay, Osadchy, Braverman, Zhou, Feldman 2020, "Data-Independent Neural Pruning via Coresets",
        arXiv 1907.04018. Simplified as ``coreset.py`` says.
    """
    is_normed = any(axis.role is Role.VARIANCE for axis in group.axes)
    incoming = (Role.SCALE, Role.SHIFT) if is_normed else (Role.WEIGHT, Role.BIAS)
    squares = [_by_unit(state, axis, group).square().sum(1) for axis in group.axes if axis.role in incoming]
    norms = torch.stack(squares).sum(0).sqrt() if squares else torch.ones(group.num_units, dtype=torch.float64)
    read = [_by_reader(state, axis) for axis in group.axes if axis.role is Role.READER]
    return norms * (torch.cat(read).amax(0) if read else torch.zeros_like(norms))  # a layer that nothing reads


def _by_unit(state: Mapping[str, Tensor], axis: UnitAxis, group: UnitGroup) -> Tensor:
    """The values of each unit, (units, values); units that may be moved may be of another number than the group's."""
    tensor = state[axis.tensor].detach().double().movedim(axis.dim, 0)
    own = tensor if group.movable else tensor[axis.span(group.num_units)]
    return own.reshape(len(own) // axis.block, -1)


def _by_reader(state: Mapping[str, Tensor], axis: UnitAxis) -> Tensor:
    """The norm of the weights with which each reader reads each unit, (readers, num_units)."""
    tensor = state[axis.tensor].detach().double()
    return cast(Tensor, torch.linalg.vector_norm(tensor.reshape(len(tensor), tensor.shape[1] // axis.block, -1), dim=2))
