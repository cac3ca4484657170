"""Pareto dominance between size and quality, and the steps that a front attains."""

from __future__ import annotations

from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
_ROUNDING = 1e-12
"""Mean qualities that differ by less than this share of the largest are equal: sums depend on their order."""


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


@dataclass(frozen=True, eq=False)
class Front:
    """The best quality within each number of bytes that measured points attain: a line of steps.

    Points go from small to large, each better than the one before; copies count once. ``Front.of`` makes a front from
    one split, ``Front.chosen`` where one split chooses and another reports.
    """

    size_bytes: Vector
    """(num_points,), positive."""
    quality: Vector
    """(num_points,)."""
    maximise: bool
    """The direction of ``quality``."""

    @staticmethod
    def of(size_bytes: ArrayLike, quality: ArrayLike, /, *, maximise: bool) -> Front:
        """The front of points.

        Args:
            size_bytes: (num_points,); a size that is not positive was not measured.
            quality: (num_points,).
            maximise: the direction of ``quality``.
        """
        sizes, qualities = np.asarray(size_bytes, np.float64), np.asarray(quality, np.float64)
        kept = nondominated(np.where(sizes > 0, sizes, np.nan), qualities, maximise=maximise)
        steps, first = np.unique(sizes[kept], return_index=True)
        return Front(steps, qualities[kept][first], maximise)

    @staticmethod
    def chosen(size_bytes: ArrayLike, quality_val: ArrayLike, quality: ArrayLike, /, *, maximise: bool) -> Front:
        """The front that validation chooses, at its test quality.

        Test quality need not grow along this front. To drop every point that is no step up would be to choose by test,
        and would flatter whoever has more points to choose from. Instead, neighbours that test puts in the wrong order
        are pooled into one point, at their mean quality and geometric mean size. This is the least-squares line that
        never falls (isotonic regression; Ayer et al. 1955, "An empirical distribution function for sampling with
        incomplete information").

        Args:
            size_bytes: (num_points,); a size that is not positive was not measured.
            quality_val: (num_points,), the quality that chooses.
            quality: (num_points,), the quality that is reported; a chosen point without one is left out.
            maximise: the direction of both qualities.
        """
        from scipy.optimize import isotonic_regression  # slow to import

        sizes, qualities = np.asarray(size_bytes, np.float64), np.asarray(quality, np.float64)
        on_front = nondominated(np.where(sizes > 0, sizes, np.nan), quality_val, maximise=maximise)
        measured = on_front & np.isfinite(qualities)
        steps, copies, num_copies = np.unique(sizes[measured], return_inverse=True, return_counts=True)
        if not len(steps):
            return Front(steps, qualities[:0], maximise)
        means = np.bincount(copies, qualities[measured]) / num_copies
        line = isotonic_regression(means, weights=num_copies, increasing=maximise).x
        is_step = np.abs(np.diff(line)) > _ROUNDING * np.abs(line).max()
        blocks = np.concatenate([[0], np.cumsum(is_step)])
        first = np.flatnonzero(np.concatenate([[True], is_step]))
        decades = np.bincount(blocks, num_copies * np.log10(steps)) / np.bincount(blocks, num_copies)
        alone = np.bincount(blocks) == 1  # a point by itself keeps its exact size, not a power of its logarithm
        return Front(np.where(alone, steps[first], 10**decades), line[first], maximise)

    def __len__(self) -> int:
        return len(self.size_bytes)

    @property
    def gain(self) -> Vector:
        """(num_points,), quality with the sign that makes more better; it increases along the front."""
        return self.quality if self.maximise else -self.quality

    @property
    def costs(self) -> NDArray[np.float64]:
        """(num_points, 2), decades of bytes and negative gain, both to be minimised: what ``moocore`` takes."""
        return np.column_stack([np.log10(self.size_bytes), -self.gain])

    def quality_at(self, size_bytes: ArrayLike, /) -> Vector:
        """The best quality of a file no larger than each of ``size_bytes``. It is attained, never interpolated.

        Args:
            size_bytes: (num_sizes,).

        Returns:
            (num_sizes,), NaN where nothing fits.
        """
        num_fitting = np.searchsorted(self.size_bytes, np.asarray(size_bytes, np.float64), side="right")
        return np.concatenate([[np.nan], self.quality])[num_fitting]

    def size_at(self, quality: ArrayLike, /) -> Vector:
        """The bytes of the smallest file at least as good as each of ``quality``.

        Args:
            quality: (num_qualities,).

        Returns:
            (num_qualities,), NaN where nothing is that good.
        """
        wanted = np.asarray(quality, np.float64)
        num_worse = np.searchsorted(self.gain, wanted if self.maximise else -wanted, side="left")
        return np.concatenate([self.size_bytes, [np.nan]])[num_worse]
