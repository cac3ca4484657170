"""Seeds as repeats: the front of each seed, the front of their means, and the front of seeds drawn anew.

Where a task has files in turn, these are drawn anew, and every number is a mean over seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.fronts.over_files import balanced, has_files, over_files
from analysis.fronts.pareto import Front, Vector, nondominated
from analysis.keys import KEY, TRAINING_KEY

Measure = Literal["quality", "quality_val"]
"""The quality at which a front is drawn. Validation chooses its points either way."""


@dataclass(frozen=True, eq=False)
class Repeats:
    """The files of one sweep's configurations, by seed, or by file in turn. Made by ``Repeats.of``."""

    size_bytes: NDArray[np.float64]
    """(num_configurations, max_seeds), NaN after each configuration's last seed."""
    quality_val: NDArray[np.float64]
    """Shaped like ``size_bytes``: the quality that chooses."""
    quality: NDArray[np.float64]
    """Shaped like ``size_bytes``: the quality that is reported."""
    num_seeds: NDArray[np.int64]
    """(num_configurations,)."""
    trainings: NDArray[np.int64]
    """(num_configurations,): equal for the points of one training, which share its seeds' luck; from 0 on."""
    maximise: bool
    files: tuple[str, ...] = ()
    """The files in turn, one for each column of the tables; none where seeds alone are repeats."""

    @staticmethod
    def of(points: pd.DataFrame, *, measure: Measure) -> Repeats:
        """The repeats of one task's points, as ``load_points`` gives them; only ``whole`` configurations are kept."""
        columns = ["size_bytes", "quality_val", measure]
        points, by = whole(points, measure=measure), "seed"
        files = sorted(points["task_file"].unique()) if has_files(points) else []
        if files:
            by = "task_file"
            named = dict.fromkeys(dict.fromkeys(columns), "mean") | {"maximise": "first"}
            points = points.groupby([*KEY, by], sort=False, as_index=False).agg(named)
        points = points.sort_values(by, kind="stable")
        groups = points.groupby(KEY, sort=False)
        rows, places = groups.ngroup().to_numpy(), groups.cumcount().to_numpy()
        num_seeds = np.asarray(groups.size(), np.int64)
        tables = np.full((3, len(num_seeds), int(num_seeds.max(initial=0))), np.nan)
        tables[:, rows, places] = points[columns].to_numpy(np.float64).T
        seeds = groups[by].agg(tuple).reset_index()  # a training that was stopped has fewer of its later points
        trainings = np.asarray(seeds.groupby([*TRAINING_KEY, by], sort=False).ngroup(), np.int64)
        maximise = bool(points["maximise"].all())
        return Repeats(tables[0], tables[1], tables[2], num_seeds, trainings, maximise, tuple(files))

    @property
    def front(self) -> Front:
        """The front of the means over seeds."""
        return self._front_of(self.size_bytes, self.quality_val, self.quality)

    @property
    def min_seeds_on_front(self) -> int:
        """The fewest seeds of any configuration on the front of the means; 0 where the front is empty."""
        chosen = nondominated(self._means(self.size_bytes), self._means(self.quality_val), maximise=self.maximise)
        return int(self.num_seeds[chosen].min(initial=np.iinfo(np.int64).max)) if chosen.any() else 0

    def resampled(self, generator: np.random.Generator, /) -> Front:
        """The front of the means over seeds drawn with replacement.

        A training's points are drawn together. Each training draws one seed fewer than it has: the variance of means
        over n draws would be too small, by the factor (n - 1) / n.

        Source: Rao, Wu 1988, "Resampling inference with complex survey data", section 2.
        """
        _, first = np.unique(self.trainings, return_index=True)
        num_seeds = np.maximum(self.num_seeds[first], 1)[:, None]
        drawn = generator.integers(num_seeds, size=(len(first), self.size_bytes.shape[1]))[self.trainings]
        num_drawn = np.maximum(self.num_seeds - 1, 1)
        behind = np.arange(self.size_bytes.shape[1]) >= num_drawn[:, None]
        tables = [
            np.where(behind, np.nan, np.take_along_axis(table, drawn, axis=1))
            for table in (self.size_bytes, self.quality_val, self.quality)
        ]
        return self._front_of(*tables)

    def of_files(self, drawn: NDArray[np.int64], /) -> Front:
        """The front of the means over some of ``files``, by their numbers: the same for every configuration."""
        return self._front_of(*(table[:, drawn] for table in (self.size_bytes, self.quality_val, self.quality)))

    def _front_of(self, *tables: NDArray[np.float64]) -> Front:
        return Front.chosen(*map(self._means, tables), maximise=self.maximise)

    def _means(self, table: NDArray[np.float64]) -> Vector:
        means: Vector = np.nansum(table, axis=1) / np.maximum(np.isfinite(table).sum(axis=1), 1)
        return means


def whole(points: pd.DataFrame, *, measure: Measure) -> pd.DataFrame:
    """The points of configurations that had no failed seed and a measured quality for every seed.

    Other configurations are on no front: to count them by the seeds that are left would reward failing.
    """
    points = balanced(points)
    columns = ["size_bytes", "quality_val", measure]
    is_whole = np.isfinite(points[columns].to_numpy(np.float64)).all(axis=1) & (points["num_failed"] == 0)
    kept: pd.DataFrame = points[is_whole.groupby([points[name] for name in KEY]).transform("all")]
    return kept


def seed_fronts(points: pd.DataFrame, *, measure: Measure) -> list[Front]:
    """The front of each seed by itself, in the order of seeds: attainment is counted over these.

    Only configurations that are ``whole`` and ran with all seeds count, so that seeds differ by chance alone. The list
    is empty unless there are several seeds.

    Args:
        points: those of one task and one sweep.
        measure: what the fronts are drawn at.
    """
    points = over_files(whole(points, measure=measure))
    num_seeds = points["seed"].nunique()
    points = points[points.groupby(KEY)["seed"].transform("nunique") == num_seeds]
    fronts = [
        Front.chosen(rows["size_bytes"], rows["quality_val"], rows[measure], maximise=bool(rows["maximise"].all()))
        for _, rows in points.groupby("seed")
    ]
    return fronts if len(fronts) > 1 else []
