"""Which axes of a network's tensors the same hidden units index, so that units may be reordered or left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a tensor does for the units of a group."""

    WEIGHT = "computes the units: outputs of a layer"
    BIAS = "is added to what a layer computes"
    SCALE = "multiplies the units: a norm's weight"
    SHIFT = "is added to the scaled units: a norm's bias"
    MEAN = "is subtracted before scaling: a norm's running mean"
    VARIANCE = "divides: a norm's running variance"
    READER = "reads the units: inputs of a layer"
    BRANCH = "computes all that a branch adds to what it began with"
    MIXER = "decides how tokens are mixed in a unit: queries and keys of a head of attention"


@dataclass(frozen=True, kw_only=True)
class UnitAxis:
    """One axis of one tensor, along which the units of a group lie.

    Unit u has the indices from ``start`` + u * ``block`` to before ``start`` + (u + 1) * ``block``.
    """

    tensor: str
    """The tensor's name in the ``state_dict``."""
    dim: int
    """Which of the tensor's axes, from 0."""
    block: int
    role: Role
    start: int = 0
    """The first unit's first index; the axis may be longer than its units, as that of queries, keys and values is."""

    def span(self, num_units: int) -> slice:
        """Where all units of the group lie on the axis."""
        return slice(self.start, self.start + num_units * self.block)


@dataclass(frozen=True, kw_only=True)
class UnitGroup:
    """Units that are computed by some tensors, and read by some: where nothing computes or reads one, it is dead."""

    num_units: int
    axes: tuple[UnitAxis, ...]
    keeps_zero: bool
    """Whether a unit that is zero where it is computed is zero wherever it is read."""
    rectified: bool
    """Whether one layer computes the units, at most one norm scales and shifts them, and a ReLU follows at once."""
    gated: bool
    """Whether a norm alone reads each layer that computes the units: a unit of scale and shift zero is zero."""
    homogeneous: bool
    """Whether a unit that is computed a > 0 times as large is read a times as large, apart from norms."""
    movable: bool = True
    """Whether they may be permuted: the same order along all ``axes`` leaves the network's function as it is."""
    removable: bool = True
    """Whether they are the network's hidden units, and not places of a width that all of it shares, nor a branch."""

    @property
    def is_branch(self) -> bool:
        """Whether it is a branch of the network, of one unit."""
        return any(axis.role is Role.BRANCH for axis in self.axes)


def removable(groups: Sequence[UnitGroup]) -> tuple[UnitGroup, ...]:
    """The groups whose units may be removed."""
    return tuple(group for group in groups if group.removable)


def movable(groups: Sequence[UnitGroup]) -> tuple[UnitGroup, ...]:
    """The groups whose units may be permuted."""
    return tuple(group for group in groups if group.movable)


def untouched(groups: Sequence[UnitGroup], tensors: Collection[str]) -> tuple[UnitGroup, ...]:
    """The groups without those that have an axis of one of ``tensors``."""
    return tuple(group for group in groups if not any(axis.tensor in tensors for axis in group.axes))
