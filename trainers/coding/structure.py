"""Finds structure in matrices of integers, before they are coded: a grid of columns, and whether anything predicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_WIDTH = 64
_ENOUGH, _FEW = 1 << 18, 1 << 15
"""The values that a sample has at most, roughly: for a grid, and for all else."""
_NUM_LOOKED_AT = 4


def grid_width(values: npt.NDArray[np.int32], /) -> int:
    """The distance, 3 to 64 columns, at which non-zeros of a row coincide most; 0 if they never do."""
    nonzero = _sample(values, _ENOUGH) != 0
    coincide = {
        lag: np.count_nonzero(nonzero[:, lag:] & nonzero[:, :-lag]) / (values.shape[1] - lag)
        for lag in range(3, min(MAX_WIDTH + 1, values.shape[1]))
    }
    best = max(coincide, key=lambda lag: coincide[lag], default=0)
    return best if best and coincide[best] > 0 else 0


def is_structured(matrices: Sequence[npt.NDArray[np.int32]], /) -> bool:
    """Whether rows, columns or neighbours predict zeros, magnitudes or signs well enough to pay for learning them.

    Savings are measured by two-part code lengths on some rows of the largest matrices: each context costs half a
    logarithm of the number of values (Rissanen 1978, "Modeling by shortest data description"). They must exceed a
    thousandth of the whole, which chance alone may save.
    """
    whole, saved = np.zeros(3), np.zeros(3)
    for matrix in sorted(matrices, key=lambda one: one.size)[-_NUM_LOOKED_AT:]:
        sample = _sample(matrix, _FEW)
        weight = matrix.size / max(sample.size, 1)  # the savings of the sample are scaled up to all values
        for index, (bits, saving) in enumerate(_savings(sample)):
            whole[index] += weight * bits
            saved[index] += weight * saving
    return bool((saved > whole / 1000).any())


def _savings(sample: npt.NDArray[np.int32]) -> Iterator[tuple[float, float]]:
    """For zeros, large magnitudes and signs in turn: the bits they take, and the bits that the best context saves."""
    magnitudes = np.abs(sample)
    ordinary = np.median(magnitudes)
    for events in (sample != 0, magnitudes > ordinary, sample > 0):
        total = float(_bits(events.sum(), events.size))
        cost = 0.5 * np.log2(events.size)
        savings = (
            float(_bits(ones.sum(), seen.sum())) - float(_bits(ones, seen).sum()) - cost * len(ones)
            for ones, seen in _contexts(events)
        )
        yield total, max(0.0, *savings)


def _contexts(events: npt.NDArray[np.bool_]) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """The numbers of events and of values in each context: by column, by row, by the event one column before."""
    for axis in (0, 1):
        ones = np.count_nonzero(events, axis=axis)
        yield ones, np.full_like(ones, events.shape[axis])
    if events.shape[1] > 1:
        now, before = events[:, 1:], events[:, :-1]
        both = np.count_nonzero(now & before)
        num_before = np.count_nonzero(before)
        ones = np.array([np.count_nonzero(now) - both, both])
        yield ones, np.array([before.size - num_before, num_before])


def _bits(ones: npt.ArrayLike, seen: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The code length of ``seen`` bits, ``ones`` of which are ones, at their own entropy."""
    share = np.divide(ones, np.maximum(seen, 1))
    rest = 1 - share
    entropy = -share * np.log2(np.where(share > 0, share, 1)) - rest * np.log2(np.where(rest > 0, rest, 1))
    bits: npt.NDArray[np.float64] = entropy * seen
    return bits


def _sample(values: npt.NDArray[np.int32], most: int) -> npt.NDArray[np.int32]:
    """Whole rows, evenly spaced."""
    stride = -(-values.size // most)
    return values[:: min(stride, max(1, values.shape[0]))]
