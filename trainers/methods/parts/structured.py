"""Networks without some of their hidden units: what structured methods share.

No positions are stored. A removed unit is zero wherever it is computed and read; ``trainers.arrange`` puts such units
last, and the coder leaves out trailing rows and columns of zeros. So a file holds one dense block of each tensor, and
the two lengths of its sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trainers.hidden_units import Role, UnitAxis, UnitGroup
from trainers.methods.base import Context
from trainers.methods.parts.pruning import VALUE_BITS


def removable(context: Context) -> tuple[UnitGroup, ...]:
    """The groups of hidden units, in the order of the layers, without those that a frozen parameter touches.

    Raises:
        ValueError: there are none.
    """
    if not context.free_groups:
        raise ValueError(
            "the network has no hidden units to remove: wanted one that torch.fx traces, with a hidden layer (fully "
            "connected, or a 2-d convolution; not frozen) whose units reach other layers through known operations only"
        )
    return context.free_groups


def along(per_unit: Tensor, axis: UnitAxis, shape: Sequence[int]) -> Tensor:
    """A number for each unit, in a shape that multiplies the tensor of ``axis``; 1 where no unit lies.

    Args:
        per_unit: (num_units,).
        axis: the tensor's axis along which the units lie.
        shape: the tensor's.
    """
    factors = per_unit.repeat_interleave(axis.block)
    span = axis.span(len(per_unit))
    factors = torch.cat([factors.new_ones(span.start), factors, factors.new_ones(shape[axis.dim] - span.stop)])
    return factors.reshape(-1, *[1] * (len(shape) - 1 - axis.dim))


def without_units(
    state: Mapping[str, Tensor], groups: Sequence[UnitGroup], kept: Sequence[Tensor]
) -> dict[str, Tensor]:
    """A ``state_dict`` with removed units zero: their weights, biases, norm entries, and the columns that read them.

    Units add nothing to what reads them then, even through an activation that is not zero at zero.

    Args:
        state: of the plain architecture, or a part of it; not changed.
        groups: of its hidden units.
        kept: for each group (num_units,), bool; false where a unit is removed.
    """
    changed = dict(state)
    for group, mask in zip(groups, kept, strict=True):
        for axis in group.axes:
            if axis.tensor in changed and axis.role is not Role.VARIANCE:  # which divides
                tensor = changed[axis.tensor]
                # NaN times false stays NaN, for the coder to refuse
                changed[axis.tensor] = tensor * along(mask, axis, tensor.shape).to(tensor)
    return changed


def kept_bits(plain: nn.Module, groups: Sequence[UnitGroup], kept: Sequence[Tensor]) -> Tensor:
    """About the size of what is left, scalar; differentiable where units are kept with probabilities.

    Args:
        plain: the plain architecture.
        groups: of its hidden units.
        kept: for each group (num_units,): 1 and 0, or independent probabilities.
    """
    bits = torch.zeros(())
    for name, parameter in plain.named_parameters():
        left: dict[int, Tensor] = {}
        for group, mask in zip(groups, kept, strict=True):
            for axis in (axis for axis in group.axes if axis.tensor == name):
                gone = (1 - mask.float().mean()) * (axis.block * group.num_units / parameter.shape[axis.dim])
                left[axis.dim] = left.get(axis.dim, torch.ones(())) - gone.cpu()
        bits = bits + VALUE_BITS * parameter.numel() * math.prod(left.values(), start=torch.ones(()))
    return bits
