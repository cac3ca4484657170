"""An equal network whose coded form is smaller: dead hidden units emptied and put last, the others sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.architectures.graph import Role, UnitGroup, Use
from trainers.coding.sections import Integers, Section, Sections

_OFFSETS = (Role.BIAS, Role.SHIFT)
_WEIGHTS = (Role.WEIGHT, Role.READER)


def arrange(sections: Sections, groups: Sequence[UnitGroup]) -> Sections:
    """The sections of a network that computes the same, up to the order of sums.

    A unit that nothing reads is emptied where it is computed, and one that is always zero where it is read; until
    nothing changes. Then units are sorted by their number of non-zeros, most first. Groups of which some weights are
    not integers stay as they are.
    """
    tensors = dict(sections.tensors)
    groups = [
        group
        for group in groups
        if all(isinstance(tensors[use.name], Integers) for use in group.uses if use.role in _WEIGHTS)
    ]
    changed = True
    while changed:
        changed = max((_empty_dead(tensors, group) for group in groups), default=False)
    for group in groups:
        nonzeros = sum(_count(tensors, use) for use in group.uses if use.role in _WEIGHTS)
        order = np.argsort(-np.asarray(nonzeros), kind="stable")
        for use in group.uses:
            units = _by_unit(tensors[use.name].values, use)
            _replace(tensors, use, np.take(units, order, axis=use.axis))
    return replace(sections, tensors=tensors)


def _empty_dead(tensors: dict[str, Section], group: UnitGroup) -> bool:
    """Whether anything was emptied."""
    weight = sum(_count(tensors, use) for use in group.uses if use.role is Role.WEIGHT)
    readers = sum(_count(tensors, use) for use in group.uses if use.role is Role.READER)
    unread, uncomputed = np.asarray(readers) == 0, np.asarray(weight) == 0
    changed = False
    for use in group.uses:
        if use.role is not Role.VARIANCE and use.role is not Role.READER:
            changed |= _empty(tensors, use, unread)
    silent = uncomputed & group.keeps_zero
    for use in group.uses:
        values: npt.NDArray[Any] = tensors[use.name].values
        if use.role is Role.MEAN:
            silent &= values == 0
        elif use.role in _OFFSETS:
            # only what a norm does not scale can be negative and still be cut to zero
            is_scaled = use.role is Role.BIAS and any(other.role is Role.SCALE for other in group.uses)
            silent &= (values <= 0) if group.rectified and not is_scaled else (values == 0)
    for use in group.uses:
        if use.role is not Role.VARIANCE:
            changed |= _empty(tensors, use, silent)
    return changed


def _empty(tensors: dict[str, Section], use: Use, units: npt.NDArray[np.bool_]) -> bool:
    """Set the values of ``units`` to zero; whether any was not."""
    values = _by_unit(tensors[use.name].values, use)
    chosen = units.reshape(-1, *[1] * (values.ndim - 1 - use.axis))
    if not (chosen & (values != 0)).any():
        return False
    _replace(tensors, use, np.where(chosen, values.dtype.type(0), values))
    return True


def _count(tensors: dict[str, Section], use: Use) -> npt.NDArray[np.int64]:
    """Non-zeros of each unit."""
    values = _by_unit(tensors[use.name].values, use)
    others = tuple(axis for axis in range(values.ndim) if axis != use.axis)
    counts: npt.NDArray[np.int64] = np.count_nonzero(values, axis=others).astype(np.int64)
    return counts


def _by_unit(values: npt.NDArray[Any], use: Use) -> npt.NDArray[Any]:
    """With the axis of the units split into (units, block)."""
    shape = values.shape
    return values.reshape(*shape[: use.axis], -1, use.block, *shape[use.axis + 1 :])


def _replace(tensors: dict[str, Section], use: Use, by_unit: npt.NDArray[Any]) -> None:
    section = tensors[use.name]
    tensors[use.name] = replace(section, values=np.ascontiguousarray(by_unit).reshape(section.values.shape))
