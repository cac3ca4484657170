"""The one scale of everything that is compared: a box in bytes and quality that counts as the unit square."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.fronts.hypervolume import Reference, hypervolume
from analysis.fronts.pareto import Front
from analysis.units import format_quality, format_size, quality_bounds, quality_words

_MARGIN = 0.1


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A box in decades of bytes and in quality. Numbers on one scale can be compared, on two they cannot.

    The scale also sets how quality trades for bytes: for accuracies, 1 % of accuracy counts as 0.09 decades, which is
    23 % of the bytes.
    """

    smallest_bytes: float
    largest_bytes: float
    worst_quality: float
    best_quality: float

    def __post_init__(self) -> None:
        is_box = 0 < self.smallest_bytes < self.largest_bytes and self.worst_quality != self.best_quality
        if not is_box or not all(map(math.isfinite, vars(self).values())):
            raise ValueError(f"got {self}: wanted finite positive sizes, the smallest first, and two qualities")

    @property
    def reference(self) -> Reference:
        """The corner up to which hypervolume is measured."""
        return Reference(
            size_bytes=self.largest_bytes,
            quality=self.worst_quality,
            maximise=self.best_quality > self.worst_quality,
        )

    @property
    def area(self) -> float:
        """The area of the box, in decades of bytes times quality."""
        return math.log10(self.largest_bytes / self.smallest_bytes) * abs(self.best_quality - self.worst_quality)

    def costs(self, front: Front, /) -> NDArray[np.float64]:
        """(num_points, 2), 0 at the best corner and 1 at the worst in each."""
        decades = math.log10(self.largest_bytes / self.smallest_bytes)
        return np.column_stack(
            [
                np.log10(front.size_bytes / self.smallest_bytes) / decades,
                (self.best_quality - front.quality) / (self.best_quality - self.worst_quality),
            ]
        )

    def hypervolume(self, front: Front, /) -> float:
        """The share of the box that ``front`` covers."""
        return hypervolume(front.size_bytes, front.quality, self.reference) / self.area

    def describe(self, quality_name: str) -> str:
        """The box in words, without which a hypervolume says nothing: ``1 B to 1 GB, accuracy 0.00 to 100.00 %``."""
        low, high = format_size(self.smallest_bytes, trim=True), format_size(self.largest_bytes, trim=True)
        worst = format_quality(self.worst_quality, quality_name, with_unit=False)
        best = format_quality(self.best_quality, quality_name)
        return f"{low} to {high}, {quality_words(quality_name)} {worst} to {best}"


def scale_for(quality_name: str, fronts: Sequence[Front], /) -> Scale:
    """The scale of a task: always the same for accuracies, the range of all ``fronts`` for other qualities.

    For accuracies the box goes from 0 to 1 and from 1 B to 1 GB, whatever was measured. Other qualities have no ends of
    their own: the box is that ``around`` all fronts. Pass all fronts that are compared.

    Raises:
        ValueError: a range is wanted and no front has a point.
    """
    if quality_bounds(quality_name) == (0.0, 100.0):
        return Scale(smallest_bytes=1, largest_bytes=1e9, worst_quality=0.0, best_quality=1.0)
    return around(quality_name, fronts)


def around(quality_name: str, fronts: Sequence[Front], /) -> Scale:
    """The box that covers all fronts together and a tenth more at the bad end.

    Raises:
        ValueError: no front has a point.
    """
    if not any(len(front) for front in fronts):
        raise ValueError(f"no measured point: wanted at least one to find the range of {quality_name}")
    sizes = np.concatenate([front.size_bytes for front in fronts])
    gains = np.concatenate([front.gain for front in fronts])
    worst, best = float(gains.min()), float(gains.max())
    has_range = best - worst > 1e-9 * abs(best)
    margin = _MARGIN * (best - worst if has_range else abs(best) or 1.0)
    sign = 1.0 if fronts[0].maximise else -1.0
    smallest, largest = float(sizes.min()), float(sizes.max())
    return Scale(
        smallest_bytes=smallest,
        largest_bytes=largest * max((largest / smallest) ** _MARGIN, 1.1),
        worst_quality=sign * (worst - margin),
        best_quality=sign * best,
    )
