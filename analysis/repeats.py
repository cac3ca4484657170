"""Seeds as repeats: the front of each, the front of their means, and that of seeds drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.frontier import KEY
from analysis.pareto import Front, Vector, nondominated

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
        """From the points of one task, as ``load.load_points`` gives them. As in ``frontier.summarise``, what has a
        failed seed or one without a finite quality is on no front, and left out."""
        columns = ["size_bytes", "quality_val", measure]
        is_whole = np.isfinite(points[columns].to_numpy(np.float64)).all(axis=1) & (points["num_failed"] == 0)
        points = points[is_whole.groupby([points[name] for name in KEY]).transform("all")]
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
        """The front of as many seeds of each configuration, drawn with replacement."""
        drawn = generator.integers(np.maximum(self.num_seeds, 1)[:, None], size=self.size_bytes.shape)
        tables = [
            np.take_along_axis(table, drawn, axis=1) for table in (self.size_bytes, self.quality_val, self.quality)
        ]
        behind = np.isnan(self.size_bytes)
        return self._front_of(*(np.where(behind, np.nan, table) for table in tables))

    def _front_of(self, *tables: NDArray[np.float64]) -> Front:
        size_bytes, quality_val, quality = map(self._means, tables)
        return Front.of(size_bytes, quality, maximise=self.maximise, chosen_by=quality_val)

    def _means(self, table: NDArray[np.float64]) -> Vector:
        means: Vector = np.nansum(table, axis=1) / self.num_seeds
        return means


def seed_fronts(points: pd.DataFrame, *, measure: Measure) -> list[Front]:
    """The front of each seed by itself, seeds in order: what attainment is counted over.

    Args:
        points: of one task and one sweep.
        measure: what the fronts are drawn at.
    """
    return [
        Front.of(
            rows["size_bytes"], rows[measure], maximise=bool(rows["maximise"].all()), chosen_by=rows["quality_val"]
        )
        for _, rows in points.groupby("seed")
    ]
