"""Finds the grid on which the columns of a matrix lie, such as the pixels of an image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MAX_WIDTH = 64
_ENOUGH = 1 << 18  # values that a sample has at most, roughly


def grid_width(values: npt.NDArray[np.int32], /) -> int:
    """The distance, 3 to 64 columns, at which non-zeros of a row coincide most; 0 if they never do."""
    nonzero = _sample(values) != 0
    coincide = {
        lag: np.count_nonzero(nonzero[:, lag:] & nonzero[:, :-lag]) / (values.shape[1] - lag)
        for lag in range(3, min(MAX_WIDTH + 1, values.shape[1]))
    }
    best = max(coincide, key=lambda lag: coincide[lag], default=0)
    return best if best and coincide[best] > 0 else 0


def _sample(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Whole rows, evenly spaced."""
    stride = -(-values.size // _ENOUGH)
    return values[:: min(stride, max(1, values.shape[0]))]
