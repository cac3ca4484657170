"""What the coder learns, how its parts are laid out in arrays, and the settings that it learns by."""

from __future__ import annotations

from typing import Any, NamedTuple

Array = Any  # not from arithmetic.py: who needs the constants here alone does not load numba

KERNELS, GRID, PLAIN, VECTOR = range(4)
"""Kinds of matrices: convolutions; columns on a grid, such as pixels; any other; one row."""
NUM_FLAG_INPUTS, NUM_SIGN_INPUTS, NUM_LEVEL_INPUTS = 16, 7, 10
NUM_FLAG_SETS, NUM_LEVEL_SETS, NUM_NINTHS = 9, 15, 9
"""Numbers of sets of weights: of a kind, of a family of levels, and in both, at the end, of the ninths of a kernel."""
FLAG_CONTEXTS, SIGN_CONTEXTS, LEVEL_CONTEXTS = 550, 37, 119
"""Numbers of states of a family: flags, signs, and one class of levels."""
NUM_FAMILIES, NUM_LEVEL_FAMILIES, NUM_CLASSES = 3, 2, 7
NUM_UNARY = 15
"""Larger magnitudes end in an exponential Golomb code."""
MAX_LENGTH = 31
"""The most bits of that code's remainder."""


class Learned(NamedTuple):
    """All that is learned while a file is coded. States are uint32, weights int32, boosts int64."""

    flag_states: Array
    """Those of each family (``NUM_FAMILIES`` x ``FLAG_CONTEXTS``), then the density of each kind (4)."""
    flag_weights: Array
    """(4 kinds x ``NUM_FLAG_SETS``, ``NUM_FLAG_INPUTS``)."""
    flag_boosts: Array
    sign_states: Array
    sign_weights: Array
    """(4 kinds, ``NUM_SIGN_INPUTS``)."""
    sign_boosts: Array
    level_states: Array
    """(``NUM_LEVEL_FAMILIES`` x ``NUM_CLASSES`` x ``LEVEL_CONTEXTS``)."""
    level_weights: Array
    """(``NUM_LEVEL_FAMILIES`` x ``NUM_LEVEL_SETS``, ``NUM_LEVEL_INPUTS``)."""
    level_boosts: Array
    length_states: Array
    """(``MAX_LENGTH``,)."""


class Settings(NamedTuple):
    """Constants of the format; ``trainers/coding/model.py`` has their values."""

    flag_rate: int
    sign_rate: int
    level_rate: int
    calm: int
    """A boost loses 2^-calm of itself with each step."""
    density_limit: int
    """The most bits that the state of a kind's density counts; those below are of other states."""
    flag_limit: int
    sign_limit: int
    level_limit: int
    near_limit: int
    flag_prior: int
    """How many bits the beginning of a new state counts as."""
    level_prior: int
    row_prior: int
    """How many sixteenths of a column the prior of a row's density counts as; those below are alike."""
    column_prior: int
    wide_prior: int
    beside_prior: int
    above_prior: int
    channel_prior: int


class Shape(NamedTuple):
    """How the columns of a matrix lie."""

    kind: int
    kernel_size: int
    """Columns of one input channel; 1 without kernels."""
    width: int
    """Columns of a line of the kernel or of the grid; 0 where there is none."""
