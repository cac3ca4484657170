"""Finds structure in matrices of integers, before they are coded: a grid of columns, and whether anything predicts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_WIDTH = 64
_ENOUGH, _FEW = 1 << 18, 1 << 14
"""The values that a sample has at most, roughly: for a grid, and for all else."""
_NUM_LOOKED_AT = 4


def grid_width(values: npt.NDArray[np.int32], /) -> int:
    """The distance, 3 to 64 columns, at which non-zeros of a row coincide most; 0 if they never do."""
    nonzero = _sample(values) != 0
    coincide = {
        lag: np.count_nonzero(nonzero[:, lag:] & nonzero[:, :-lag]) / (values.shape[1] - lag)
        for lag in range(3, min(MAX_WIDTH + 1, values.shape[1]))
    }
    best = max(coincide, key=lambda lag: coincide[lag], default=0)
    return best if best and coincide[best] > 0 else 0


def is_structured(matrices: Sequence[tuple[npt.NDArray[np.int32], Collection[int]]], /) -> bool:
    """Whether rows, columns or neighbours predict zeros, magnitudes or signs well enough to pay for learning them.

    Savings are measured by two-part code lengths on some rows of the largest matrices: each context costs half a
    logarithm of the number of values (Rissanen 1978, "Modeling by shortest data description"). They must exceed a
    thousandth of the whole, which chance alone may save.

    Args:
        matrices: each with the distances, in columns, at which neighbours are looked at.
    """
    whole, saved = np.zeros(3), np.zeros(3)
    for matrix, lags in sorted(matrices, key=lambda one: one[0].size)[-_NUM_LOOKED_AT:]:
        sample = _pairs(matrix)
        weight = matrix.size / max(sample.size, 1)  # the savings of the sample are scaled up to all values
        for index, (bits, saving) in enumerate(_savings(sample, lags)):
            whole[index] += weight * bits
            saved[index] += weight * saving
    return bool((saved > whole / 1000).any())


def _savings(sample: npt.NDArray[np.int32], lags: Collection[int]) -> Iterator[tuple[float, float]]:
    """For zeros, large magnitudes and signs in turn: the bits they take, and the bits that the best context saves."""
    magnitudes = np.abs(sample)
    ordinary = np.median(magnitudes)
    for events in (sample != 0, magnitudes > ordinary, sample > 0):
        total = float(_bits(events.sum(), events.size))
        cost = 0.5 * np.log2(events.size)
        savings = (
            float(_bits(ones.sum(), seen.sum())) - float(_bits(ones, seen).sum()) - cost * len(ones)
            for ones, seen in _contexts(events, lags)
        )
        yield total, max(0.0, *savings)


def _contexts(
    events: npt.NDArray[np.bool_], lags: Collection[int]
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """The numbers of events and of values in each context: by column, by row, by the event before and the one above."""
    for axis in (0, 1):
        ones = np.count_nonzero(events, axis=axis)
        yield ones, np.full_like(ones, events.shape[axis])
    for lag in lags:
        if lag < events.shape[1]:
            yield _after(events[:, :-lag], events[:, lag:])
    if len(events) > 1:
        yield _after(events[: len(events) // 2 * 2 : 2], events[1::2])


def _after(before: npt.NDArray[np.bool_], now: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The numbers of events and of values after none and after one."""
    both, num_before = np.count_nonzero(now & before), np.count_nonzero(before)
    ones = np.array([np.count_nonzero(now) - both, both])
    return ones, np.array([before.size - num_before, num_before])


def _bits(ones: npt.ArrayLike, seen: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The code length of ``seen`` bits, ``ones`` of which are ones, at their own entropy."""
    share = np.divide(ones, np.maximum(seen, 1))
    rest = 1 - share
    entropy = -share * np.log2(np.where(share > 0, share, 1)) - rest * np.log2(np.where(rest > 0, rest, 1))
    bits: npt.NDArray[np.float64] = entropy * seen
    return bits


def _sample(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Whole rows, evenly spaced."""
    stride = -(-values.size // _ENOUGH)
    return values[:: min(stride, max(1, values.shape[0]))]


def _pairs(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Pairs of neighbouring rows, evenly spaced."""
    num_pairs = max(1, min(len(values) // 2, _FEW // (2 * values.shape[1])))
    first = np.linspace(0, max(0, len(values) - 2), num_pairs).astype(np.intp) // 2 * 2
    rows = np.unique(np.stack((first, first + 1)))
    return values[rows[rows < len(values)]]
