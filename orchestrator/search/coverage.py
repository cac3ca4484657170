"""The hypervolume that a running or simulated sweep covers so far, by means over seeds on validation."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from analysis.fronts.hypervolume import Reference, hypervolume
from trainers.record import OperatingPoint


class Coverage:
    """The points measured so far, averaged over the seeds of each configuration and point id."""

    def __init__(self, *, least_seeds: int = 1) -> None:
        """``least_seeds``: how many seeds a configuration needs to count."""
        self._least_seeds = least_seeds
        self._seeds: dict[tuple[str, str], list[OperatingPoint]] = {}
        self._means: dict[tuple[str, str], tuple[float, float]] = {}

    def add(self, points: Iterable[OperatingPoint]) -> None:
        for point in points:
            key = (point.config_hash, point.point_id)
            seeds = self._seeds.setdefault(key, [])
            seeds.append(point)
            if len(seeds) >= self._least_seeds:
                self._means[key] = (fmean(one.size_bytes for one in seeds), fmean(one.quality_val for one in seeds))

    @property
    def size_bytes(self) -> list[float]:
        """Mean size over the seeds measured so far, for each configuration and point id."""
        return [size_bytes for size_bytes, _ in self._means.values()]

    @property
    def quality_val(self) -> list[float]:
        """Mean validation quality, in the order of ``size_bytes``."""
        return [quality_val for _, quality_val in self._means.values()]

    @property
    def any_point(self) -> OperatingPoint | None:
        """Any one point, for what all points have in common, such as the quality's name; None before the first."""
        return next((seeds[0] for seeds in self._seeds.values()), None)

    def hypervolume(self, reference: Reference) -> float:
        return hypervolume(self.size_bytes, self.quality_val, reference)
