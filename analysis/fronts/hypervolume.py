"""Hypervolume between size and quality: the area that points cover, up to a fixed reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The corner that bounds hypervolume: larger sizes and worse qualities add no area.

    It must be the same for all sets that are compared.
    """

    size_bytes: float
    quality: float
    maximise: bool
    """The direction of ``quality``."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.size_bytes) and self.size_bytes > 1) or not np.isfinite(self.quality):
            raise ValueError(
                f"the reference is {self.size_bytes!r} bytes at quality {self.quality!r}: wanted more than one byte, "
                "and finite numbers"
            )

    @property
    def corner(self) -> tuple[float, float]:
        """The corner as costs: decades of bytes, and quality with the sign that makes less better."""
        return math.log10(self.size_bytes), -self.quality if self.maximise else self.quality


def hypervolume(size_bytes: ArrayLike, quality: ArrayLike, reference: Reference, /) -> float:
    """The area that points cover between themselves and ``reference``, in decades of bytes times quality.

    Sizes count by their logarithm: halving a file is worth the same at 1 kB and at 1 MB. NaN and infinite points, and
    those beyond the reference, add nothing.

    Args:
        size_bytes: (num_points,).
        quality: (num_points,).
        reference: the corner.

    Source: Zitzler, Thiele 1998, "Multiobjective optimization using evolutionary algorithms".

    Example:
        >>> hypervolume([100.0, 1000.0], [0.5, 0.9], Reference(size_bytes=10_000, quality=0.0, maximise=True))
        1.4
    """
    costs = _costs(size_bytes, quality, reference)
    return float(moocore.hypervolume(costs, ref=reference.corner)) if len(costs) else 0.0


def growth(size_bytes: ArrayLike, quality: ArrayLike, reference: Reference, /) -> NDArray[np.float64]:
    """The hypervolume after each point: that of the point and all before it.

    Args:
        size_bytes: (num_points,), in the order of measurement.
        quality: (num_points,).
        reference: the corner.

    Returns:
        (num_points,), never decreasing.
    """
    covered = np.zeros(len(np.asarray(size_bytes)))
    corner = np.array(reference.corner)
    front, area = np.empty((0, 2)), 0.0
    for index, cost in enumerate(_costs(size_bytes, quality, reference, keep_all=True)):
        # a point that was not measured is NaN, and NaN is never below the corner
        if (cost < corner).all() and not (front <= cost).all(axis=1).any():
            front = np.vstack([front[~(cost <= front).all(axis=1)], cost])
            area = float(moocore.hypervolume(front, ref=corner))
        covered[index] = area
    return covered


def _costs(
    size_bytes: ArrayLike, quality: ArrayLike, reference: Reference, *, keep_all: bool = False
) -> NDArray[np.float64]:
    """(num_points, 2), costs to be minimised. Points not measured are left out, or NaN with ``keep_all``."""
    sizes, qualities = np.asarray(size_bytes, np.float64), np.asarray(quality, np.float64)
    if sizes.ndim != 1 or sizes.shape != qualities.shape:
        raise ValueError(
            f"got sizes of shape {sizes.shape} and qualities of shape {qualities.shape}, "
            "wanted two vectors of equal length"
        )
    measured = np.isfinite(sizes) & np.isfinite(qualities) & (sizes > 0)
    costs = np.full((len(sizes), 2), np.nan)
    costs[measured, 0] = np.log10(sizes[measured])
    costs[measured, 1] = -qualities[measured] if reference.maximise else qualities[measured]
    return costs if keep_all else costs[measured]
