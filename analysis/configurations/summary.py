"""From measured files to configurations: means over seeds, the file that stands for each, the front, the choice.

Validation chooses, test reports: nothing here that chooses reads ``quality``, only ``quality_val``.
"""

from __future__ import annotations

import math
import statistics

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.fronts.pareto import nondominated
from analysis.keys import KEY
from trainers.nearest import nearest

_SHARED = ["task", "architecture", "method", "config", "label", "quality_name", "maximise", "experiment_id"]
_SHARED += ["num_parameters", "macs", "num_steps", "uncompressed_bytes"]
_MEASURED = ["size_bytes", "quality", "quality_val", "compression_ratio"]
_FILE = ["size_bytes", "quality", "quality_val", "compression_ratio", "directory", "path", "sha256"]
_FILE += ["seed", "trial_id", "run_id"]

CONFIGURATION_COLUMNS: tuple[str, ...] = (
    *KEY,
    *_SHARED,
    "num_seeds",
    "num_failed",
    *(f"{name}_{statistic}" for name in _MEASURED for statistic in ("mean", "std")),
    *(f"file_{name}" for name in _FILE),
    "on_front",
)


def of_task(points: pd.DataFrame, task: str) -> pd.DataFrame:
    """The points of one task.

    Raises:
        ValueError: there are none.
    """
    tasks = sorted(points["task"].unique())
    if task not in tasks:
        raise ValueError(f"no points of task {task!r}{nearest(task, tasks)}")
    return points[points["task"] == task]


def within_cost(
    points: pd.DataFrame, *, max_steps: int | None = None, max_train_s: float | None = None
) -> pd.DataFrame:
    """The points whose training cost no more: what is compared at equal cost.

    Args:
        points: of ``load.load_points``.
        max_steps: optimiser steps over all phases of a training.
        max_train_s: seconds of training; of a configuration the median over its seeds counts, so that all of them stay
            or none.

    Raises:
        ValueError: nothing is left.
    """
    seconds = points.groupby(KEY)["train_s"].transform("median")
    cheap = points[(points["num_steps"] <= (max_steps or math.inf)) & (seconds <= (max_train_s or math.inf))]
    if cheap.empty and len(points):
        raise ValueError(
            f"no training is that short: the shortest took {points['num_steps'].min():,} steps, and the fastest "
            f"{seconds.min():.3g} s"
        )
    return cheap


def summarise(points: pd.DataFrame) -> pd.DataFrame:
    """One row for each configuration, smallest mean size first.

    ``<name>_mean`` and ``<name>_std`` are over seeds. The standard deviation is the sample's (ddof = 1) and NaN with
    one seed, which has no spread to show. A seed that is NaN or infinite makes the mean NaN.

    ``file_<name>`` belong to one file, the configuration's representative: that of its lower-median validation seed,
    so of an even number of seeds the worse of the middle two. It is what figures draw and what ships.

    ``on_front``: no other configuration is as small and as good, by mean size and mean validation quality. A
    configuration of which a seed failed, or has no finite quality, is never on the front and dominates nothing: its
    luckier seeds do not speak for it.

    Args:
        points: one row for each file, as ``load.load_points`` gives them.

    Returns:
        ``CONFIGURATION_COLUMNS``.

    Raises:
        ValueError: the points are not comparable (several tasks or qualities).
    """
    for column in ("task", "quality_name", "maximise"):
        values = sorted(map(str, points[column].unique()))
        if len(values) > 1:
            raise ValueError(f"got points with {column} {', '.join(values)}: a frontier needs one; choose a task")
    points = points.assign(compression_ratio=points["uncompressed_bytes"] / points["size_bytes"])
    groups = points.groupby(KEY, sort=False)
    means = groups[_MEASURED].agg(_mean).astype("float64").add_suffix("_mean")
    deviations = groups[_MEASURED].std(skipna=False).add_suffix("_std")
    files = _representatives(points).set_index(KEY)
    table = pd.concat([files[_SHARED], means, deviations, files[_FILE].add_prefix("file_")], axis=1)
    table["num_seeds"] = groups.size()
    table["num_failed"] = groups["num_failed"].max()
    table["on_front"] = _on_front(table)
    table = table.reset_index().sort_values(["size_bytes_mean", *KEY], ignore_index=True)
    return table[list(CONFIGURATION_COLUMNS)]


def _on_front(rows: pd.DataFrame) -> NDArray[np.bool_]:
    quality = rows["quality_val_mean"].where(rows["num_failed"] == 0)
    return nondominated(rows["size_bytes_mean"], quality, maximise=_maximise(rows))


def _mean(values: pd.Series) -> float:
    """Exact before it is rounded once: equal seeds have their own value as mean, and their order does not matter."""
    numbers = [float(value) for value in values]
    return statistics.mean(numbers) if all(map(math.isfinite, numbers)) else math.nan


def _representatives(points: pd.DataFrame) -> pd.DataFrame:
    """The row of the lower-median validation seed of each configuration.

    Seeds of equal validation quality are ordered larger file first: a tie is never resolved towards luck. NaN is worst.
    """
    ordered = points.sort_values(
        ["quality_val", "size_bytes", "seed"], ascending=[_maximise(points), False, True], na_position="first"
    )
    groups = ordered.groupby(KEY, sort=False)
    return ordered[groups.cumcount() == (groups["seed"].transform("size") - 1) // 2]


def _maximise(rows: pd.DataFrame) -> bool:
    return bool(rows["maximise"].all())
