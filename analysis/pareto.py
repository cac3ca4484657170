"""Pareto dominance between size and quality."""

from __future__ import annotations

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray


def nondominated(size: ArrayLike, quality: ArrayLike, /, *, maximise: bool) -> NDArray[np.bool_]:
    """Which points no other point beats in both size and quality.

    A point is dominated when another is at least as good in both and better in one. Equal points do not dominate
    each other: all copies are kept, or none. A point whose size or quality is NaN or infinite was not measured: it is
    never on the front and dominates nothing.

    Args:
        size: (num_points,), any unit; smaller is better.
        quality: (num_points,); larger is better if ``maximise``, else smaller.
        maximise: the direction of ``quality``.

    Returns:
        (num_points,), True on the front.

    Example:
        >>> nondominated([1.0, 2.0, 3.0], [0.9, 0.8, 0.95], maximise=True)
        array([ True, False,  True])
    """
    points = [np.asarray(size, dtype=np.float64), np.asarray(quality, dtype=np.float64)]
    if points[0].ndim != 1 or points[0].shape != points[1].shape:
        raise ValueError(
            f"got size of shape {points[0].shape} and quality of shape {points[1].shape}, "
            "wanted two vectors of equal length"
        )
    objectives = np.column_stack(points)  # (num_points, 2), a copy
    mask: NDArray[np.bool_] = np.asarray(np.isfinite(objectives).all(axis=1))
    mask[mask] = moocore.is_nondominated(objectives[mask], maximise=[False, maximise], keep_weakly=True)
    return mask
