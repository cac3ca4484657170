"""Counts integers and numbers them from zero, as static tables need."""

from __future__ import annotations

from .arithmetic import Array
from .jit import compiled, int64

NUM_COUNTERS = 4
"""Counters that take turns: one alone would wait for itself where a value repeats."""


@compiled
def count(values: Array, low: int, counts: Array) -> None:
    """Count ``values`` (n,) int32, of which ``low`` is the least, in ``counts`` (NUM_COUNTERS, k) int64."""
    for index in range(len(values)):
        counts[index & (NUM_COUNTERS - 1), int64(values[index]) - low] += 1


@compiled
def look_up(values: Array, low: int, position_at: Array, positions: Array) -> None:
    """Fill ``positions`` (n,) int32 with what ``position_at`` (k,) int32 says of each value, less ``low``."""
    for index in range(len(values)):
        positions[index] = position_at[int64(values[index]) - low]
