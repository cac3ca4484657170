"""Rearranges a network so that it codes smaller: dead units are emptied and put last, the others sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.coding.sections import Integers, Raw, Section, Sections
from trainers.hidden_units import Role, UnitAxis, UnitGroup

_WEIGHTS = (Role.WEIGHT, Role.READER)


def arrange(sections: Sections, groups: Sequence[UnitGroup]) -> Sections:
    """The sections of a network that computes the same, up to the order of sums.

    A unit that nothing reads is emptied where it is computed, and a unit that is always zero is emptied where it is
    read, until nothing changes: of a block that adds nothing, nothing is left. Then units that may be moved are sorted
    by their number of non-zeros, most first, together with the vectors that have a number for each unit. A group stays
    as it is if any of its weights are not integers, or any of its tensors is made of factors.
    """
    tensors, vectors = dict(sections.tensors), list(sections.vectors)
    groups = [
        group
        for group in groups
        if not group.is_branch
        and all(axis.tensor in tensors for axis in group.axes)
        and all(isinstance(tensors[axis.tensor], Integers) for axis in group.axes if axis.role in _WEIGHTS)
    ]
    changed = True
    while changed:
        changed = max((_empty_dead(tensors, group) for group in groups), default=False)
    for group in groups:
        if not group.movable:
            continue
        nonzeros = sum(_count(tensors, axis, group) for axis in group.axes if axis.role in _WEIGHTS)
        order = np.argsort(-np.asarray(nonzeros), kind="stable")
        for axis in group.axes:
            units = _by_unit(tensors[axis.tensor].values, axis, group)
            _replace(tensors, axis, group, np.take(units, order, axis=axis.dim))
            vector = _row_vector(tensors[axis.tensor])
            if axis.dim == 0 and vector is not None:
                vectors[vector] = vectors[vector].reshape(-1, axis.block)[order].reshape(-1)
    return replace(sections, tensors=tensors, vectors=tuple(vectors))


def _empty_dead(tensors: dict[str, Section], group: UnitGroup) -> bool:
    """Empty the units of a group that are dead; returns whether that changed anything."""
    weights, readers = (
        [_count(tensors, axis, group) for axis in group.axes if axis.role is role]
        for role in (Role.WEIGHT, Role.READER)
    )
    unread, uncomputed = np.asarray(sum(readers)) == 0, np.full(group.num_units, bool(weights)) & (sum(weights) == 0)
    changed = False
    for axis in group.axes:
        if axis.role is not Role.VARIANCE and axis.role is not Role.READER:
            changed |= _empty(tensors, axis, group, unread)
    is_scaled = any(axis.role is Role.SCALE for axis in group.axes)
    closed, unshifted = np.full(group.num_units, group.gated), np.full(group.num_units, group.keeps_zero)
    for axis in group.axes:
        values = _by_unit(tensors[axis.tensor].values, axis, group)
        # the ReLU cuts a negative shift to zero, and a negative bias if no norm scales it
        is_cut = group.rectified and (axis.role is Role.SHIFT or (axis.role is Role.BIAS and not is_scaled))
        is_silent = ((values <= 0) if is_cut else (values == 0)).all(axis=_others(values, axis))
        if axis.role is Role.SCALE:
            closed &= is_silent
        elif axis.role is Role.SHIFT:
            unshifted &= is_silent
        elif axis.role is Role.BIAS or axis.role is Role.MEAN:
            uncomputed &= is_silent
    if group.gated:  # the scale of a zero does not matter, and is often enormous
        for axis in group.axes:
            if axis.role is Role.SCALE:
                changed |= _empty(tensors, axis, group, uncomputed)
    silent = unshifted & (uncomputed | closed)
    for axis in group.axes:
        if axis.role is not Role.VARIANCE:
            changed |= _empty(tensors, axis, group, silent)
    return changed


def _empty(tensors: dict[str, Section], axis: UnitAxis, group: UnitGroup, units: npt.NDArray[np.bool_]) -> bool:
    """Set the values of ``units`` to zero; returns whether any was not.

    A constant tensor is left as it is: it is stored as one value.
    """
    section = tensors[axis.tensor]
    if isinstance(section, Raw) and (section.values == section.values.flat[0]).all():
        return False
    values = _by_unit(tensors[axis.tensor].values, axis, group)
    chosen = units.reshape(-1, *[1] * (values.ndim - 1 - axis.dim))
    if not (chosen & (values != 0)).any():
        return False
    _replace(tensors, axis, group, np.where(chosen, values.dtype.type(0), values))
    return True


def _row_vector(section: Section) -> int | None:
    return section.row_vector if isinstance(section, Integers) else None


def _count(tensors: dict[str, Section], axis: UnitAxis, group: UnitGroup) -> npt.NDArray[np.int64]:
    """The number of non-zeros of each unit."""
    values = _by_unit(tensors[axis.tensor].values, axis, group)
    counts: npt.NDArray[np.int64] = np.count_nonzero(values, axis=_others(values, axis)).astype(np.int64)
    return counts


def _others(by_unit: npt.NDArray[Any], axis: UnitAxis) -> tuple[int, ...]:
    """All axes of ``by_unit`` but that of the units."""
    return tuple(dim for dim in range(by_unit.ndim) if dim != axis.dim)


def _by_unit(values: npt.NDArray[Any], axis: UnitAxis, group: UnitGroup) -> npt.NDArray[Any]:
    """``values`` with the axis of the units, where they lie, split into (units, block)."""
    shape = values.shape
    own = values[_places(axis, group)]
    return own.reshape(*shape[: axis.dim], group.num_units, axis.block, *shape[axis.dim + 1 :])


def _places(axis: UnitAxis, group: UnitGroup) -> tuple[slice, ...]:
    return (*[slice(None)] * axis.dim, axis.span(group.num_units))


def _replace(tensors: dict[str, Section], axis: UnitAxis, group: UnitGroup, by_unit: npt.NDArray[Any]) -> None:
    section, places = tensors[axis.tensor], _places(axis, group)
    values = np.array(section.values, order="C")
    values[places] = by_unit.reshape(values[places].shape)
    tensors[axis.tensor] = replace(section, values=values)
