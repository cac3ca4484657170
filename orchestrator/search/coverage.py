"""The hypervolume that a running or simulated sweep covers so far, by means over repeats on validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import fmean

from analysis.fronts.hypervolume import Reference, hypervolume
from trainers.record import OperatingPoint


class Coverage:
    """The points measured so far, averaged over the repeats of each configuration and point id.

    Where files are repeats, a seed counts once it has every file that any point has: else the easiest would count most.
    """

    def __init__(self, *, least_repeats: int = 1) -> None:
        """``least_repeats``: how many repeats, over seeds and files, a configuration needs to count."""
        self._least_repeats = least_repeats
        self._repeats: dict[tuple[str, str], list[OperatingPoint]] = {}
        self._means: dict[tuple[str, str], tuple[float, float]] = {}
        self._files: set[str] = set()

    def add(self, points: Iterable[OperatingPoint]) -> None:
        for point in points:
            key = (point.config_hash, point.point_id)
            self._repeats.setdefault(key, []).append(point)
            has_grown = point.task_file not in self._files
            self._files.add(point.task_file)
            for one in self._repeats if has_grown else (key,):
                self._average(one)

    def _average(self, key: tuple[str, str]) -> None:
        repeats = self._repeats[key]
        num_files = Counter(seed for seed, _ in {(point.seed, point.task_file) for point in repeats})
        whole = [point for point in repeats if num_files[point.seed] == len(self._files)]
        if whole and len(repeats) >= self._least_repeats:
            self._means[key] = (fmean(one.size_bytes for one in whole), fmean(one.quality_val for one in whole))
        else:
            self._means.pop(key, None)

    @property
    def size_bytes(self) -> list[float]:
        """Mean size over the repeats measured so far, for each configuration and point id."""
        return [size_bytes for size_bytes, _ in self._means.values()]

    @property
    def quality_val(self) -> list[float]:
        """Mean validation quality, in the order of ``size_bytes``."""
        return [quality_val for _, quality_val in self._means.values()]

    @property
    def any_point(self) -> OperatingPoint | None:
        """Any one point, for what all points have in common, such as the quality's name; None before the first."""
        return next((repeats[0] for repeats in self._repeats.values()), None)

    def hypervolume(self, reference: Reference) -> float:
        return hypervolume(self.size_bytes, self.quality_val, reference)
