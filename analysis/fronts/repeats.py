"""Seeds as repeats: the front of each, the front of their means, and that of seeds drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.fronts.pareto import Front, Vector, nondominated
from analysis.keys import KEY

Measure = Literal["quality", "quality_val"]
"""What a front is drawn at. Validation chooses it either way."""


@dataclass(frozen=True, eq=False)
class Repeats:
    """The files of the configurations of one sweep by seed. Made by ``Repeats.of``."""

    size_bytes: NDArray[np.float64]
    """(num_configurations, max_seeds), NaN behind the last seed of each."""
    quality_val: NDArray[np.float64]
    """As ``size_bytes``: what chooses."""
    quality: NDArray[np.float64]
    """As ``size_bytes``: what is reported."""
    num_seeds: NDArray[np.int64]
    """(num_configurations,)."""
    maximise: bool

    @staticmethod
    def of(points: pd.DataFrame, *, measure: Measure) -> Repeats:
        """From the points of one task, as ``load.load_points`` gives them, as far as they are ``whole``."""
        columns = ["size_bytes", "quality_val", measure]
        points = whole(points, measure=measure)
        groups = points.groupby(KEY, sort=False)
        rows, places = groups.ngroup().to_numpy(), groups.cumcount().to_numpy()
        num_seeds = np.asarray(groups.size(), np.int64)
        tables = np.full((3, len(num_seeds), int(num_seeds.max(initial=0))), np.nan)
        tables[:, rows, places] = points[columns].to_numpy(np.float64).T
        return Repeats(tables[0], tables[1], tables[2], num_seeds, bool(points["maximise"].all()))

    @property
    def front(self) -> Front:
        """That of the means over seeds."""
        return self._front_of(self.size_bytes, self.quality_val, self.quality)

    @property
    def min_seeds_on_front(self) -> int:
        """The fewest seeds of a configuration that the means put on the front; 0 where there is none."""
        chosen = nondominated(self._means(self.size_bytes), self._means(self.quality_val), maximise=self.maximise)
        return int(self.num_seeds[chosen].min(initial=np.iinfo(np.int64).max)) if chosen.any() else 0

    def resampled(self, generator: np.random.Generator, /) -> Front:
        """The front of seeds drawn with replacement, of each configuration one fewer than it has: the mean of all n
        would vary too little, by (n - 1) / n.

        Source: Rao, Wu 1988, "Resampling inference with complex survey data", section 2.
        """
        drawn = generator.integers(np.maximum(self.num_seeds, 1)[:, None], size=self.size_bytes.shape)
        num_drawn = np.maximum(self.num_seeds - 1, 1)
        behind = np.arange(self.size_bytes.shape[1]) >= num_drawn[:, None]
        tables = [
            np.where(behind, np.nan, np.take_along_axis(table, drawn, axis=1))
            for table in (self.size_bytes, self.quality_val, self.quality)
        ]
        return self._front_of(*tables)

    def _front_of(self, *tables: NDArray[np.float64]) -> Front:
        return Front.chosen(*map(self._means, tables), maximise=self.maximise)

    def _means(self, table: NDArray[np.float64]) -> Vector:
        means: Vector = np.nansum(table, axis=1) / np.maximum(np.isfinite(table).sum(axis=1), 1)
        return means


def whole(points: pd.DataFrame, *, measure: Measure) -> pd.DataFrame:
    """The points of configurations of which no seed failed and each was measured. Others are on no front: to take
    them by the seeds that are left would reward failing."""
    columns = ["size_bytes", "quality_val", measure]
    is_whole = np.isfinite(points[columns].to_numpy(np.float64)).all(axis=1) & (points["num_failed"] == 0)
    kept: pd.DataFrame = points[is_whole.groupby([points[name] for name in KEY]).transform("all")]
    return kept


def seed_fronts(points: pd.DataFrame, *, measure: Measure) -> list[Front]:
    """The front of each seed by itself, seeds in order: what attainment is counted over.

    Over the configurations that are ``whole`` and ran with all seeds, so that seeds differ by chance alone; none where
    there are not several.

    Args:
        points: of one task and one sweep.
        measure: what the fronts are drawn at.
    """
    points = whole(points, measure=measure)
    num_seeds = points["seed"].nunique()
    points = points[points.groupby(KEY)["seed"].transform("nunique") == num_seeds]
    fronts = [
        Front.chosen(rows["size_bytes"], rows["quality_val"], rows[measure], maximise=bool(rows["maximise"].all()))
        for _, rows in points.groupby("seed")
    ]
    return fronts if len(fronts) > 1 else []
