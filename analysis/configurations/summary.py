"""From measured files to configurations: means over seeds, the file that represents each, the front.

Validation chooses, test reports: nothing here that chooses reads ``quality``, only ``quality_val``.
"""

from __future__ import annotations

import math
import statistics

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import fidelity
from analysis.fronts.over_files import has_files, over_files
from analysis.fronts.pareto import nondominated
from analysis.keys import KEY
from analysis.points import qualities
from analysis.signals import COLUMNS as SIGNAL_COLUMNS
from analysis.signals import is_fitted, rate_of
from trainers.nearest import nearest

_SHARED = ["task", "architecture", "method", "config", "label", "quality_name", "maximise", "experiment_id"]
_SHARED += ["num_parameters", "macs", "num_steps", "uncompressed_bytes", *SIGNAL_COLUMNS]
_MEASURED = ["size_bytes", "quality", "quality_val", "compression_ratio", *fidelity.COLUMNS]
_FILE = [*_MEASURED, "directory", "path", "sha256", "seed", "trial_id", "run_id", "zero_weights", "others"]

CONFIGURATION_COLUMNS: tuple[str, ...] = (
    *KEY,
    *_SHARED,
    "num_seeds",
    "num_failed",
    "num_files",
    "num_constant",
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
    """The points whose training cost no more, for comparisons at equal cost.

    Args:
        points: from ``load_points``.
        max_steps: the most optimiser steps over all phases of a training.
        max_train_s: the most seconds of training. A configuration counts by the median over its seeds, so that it
            keeps all of them or none.

    Raises:
        ValueError: nothing is left.
    """
    seconds = points.groupby(KEY)["train_s"].transform("median")
    most_steps, most_s = (math.inf if most is None else most for most in (max_steps, max_train_s))
    cheap = points[(points["num_steps"] <= most_steps) & (seconds <= most_s)]
    if cheap.empty and len(points):
        raise ValueError(
            f"no training is that short: the shortest took {points['num_steps'].min():,} steps, and the fastest "
            f"{seconds.min():.3g} s"
        )
    return cheap


def summarise(points: pd.DataFrame) -> pd.DataFrame:
    """One row for each configuration, smallest mean size first.

    Where a task has files in turn, each row of ``points`` is first replaced by the mean over files
    (``over_files``): then the numbers of a configuration's file are such means as well.

    ``<name>_mean`` and ``<name>_std`` are over seeds. The standard deviation is the sample's (ddof = 1) and NaN with
    one seed, which has no spread to show. A seed that is NaN or infinite makes the mean NaN.

    ``file_<name>`` columns describe one file, the configuration's representative. It comes from the seed with the
    lower-median validation quality: with an even number of seeds, the worse of the middle two. Figures draw this file,
    and it is the one that ships.

    Those of ``analysis.fidelity.COLUMNS`` are NaN where a trial was given no network. A task's other qualities have
    columns at the end: means and deviations of ``quality.<name>`` on test and ``quality_val.<name>`` on validation, and
    the file's. So have the bits for each sample where the task is a signal, such as ``bits_per_pixel``.

    ``num_files`` counts the files in turn that each number is a mean over; 0 where a task has none.

    ``num_constant`` counts seeds whose network computes the same whatever its inputs: it was destroyed.

    ``on_front`` says that no other configuration is as small and as good, by mean size and mean validation quality.
    A configuration with a failed seed, or with a quality that is not finite, is never on the front and dominates
    nothing: its luckier seeds do not speak for it.

    Args:
        points: one row for each file, as ``load_points`` gives them.

    Returns:
        ``CONFIGURATION_COLUMNS``, and those of other qualities and of a signal's rate.

    Raises:
        ValueError: the points are not comparable (several tasks or qualities).
    """
    for column in ("task", "quality_name", "maximise"):
        values = sorted(map(str, points[column].unique()))
        if len(values) > 1:
            raise ValueError(f"got points with {column} {', '.join(values)}: a frontier needs one; choose a task")
    num_files = points["task_file"].nunique() if has_files(points) else 0
    points = qualities.with_columns(over_files(points))
    others = qualities.columns_of(points)
    if rate := rate_of(points):
        points = points.assign(**{rate: 8 * points["size_bytes"] / points["signal_count"]})
        others = [rate, *others]
    points = points.assign(compression_ratio=points["uncompressed_bytes"] / points["size_bytes"])
    groups = points.groupby(KEY, sort=False)
    every = [*_MEASURED, *others]
    measured = [name for name in every if name not in fidelity.COLUMNS or points[name].notna().any()]
    means = groups[measured].agg(_mean).astype("float64").reindex(columns=every).add_suffix("_mean")
    deviations = groups[measured].std(skipna=False).reindex(columns=every).add_suffix("_std")
    files = _representatives(points).set_index(KEY)
    table = pd.concat([files[_SHARED], means, deviations, files[[*_FILE, *others]].add_prefix("file_")], axis=1)
    table["num_seeds"] = groups.size()
    table["num_failed"] = groups["num_failed"].max()
    table["num_files"] = num_files
    table["num_constant"] = groups["is_constant"].sum()
    table["on_front"] = _on_front(table)
    table = table.reset_index().sort_values(["size_bytes_mean", *KEY], ignore_index=True)
    added = [column for name in others for column in (f"{name}_mean", f"{name}_std", f"file_{name}")]
    return table[[*CONFIGURATION_COLUMNS, *added]]


def representing(configurations: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """The points of the representatives of some configurations: one each, or one for each file in turn.

    Args:
        configurations: from ``summarise``.
        points: what ``summarise`` was given.
    """
    seeds = configurations[[*KEY, "file_seed"]].rename(columns={"file_seed": "seed"})
    return points.merge(seeds, on=[*KEY, "seed"])


def told(configurations: pd.DataFrame) -> pd.DataFrame:
    """The configurations as files and scripts are told: without the columns of fidelity that none has.

    Other qualities are there as numbers, and not as text; what the signal is, where the task is one.
    """
    silent = [
        name
        for kind in fidelity.COLUMNS
        for name in (f"{kind}_mean", f"{kind}_std", f"file_{kind}")
        if configurations[f"{kind}_mean"].isna().all()
    ]
    silent += [] if is_fitted(configurations) else SIGNAL_COLUMNS
    if not configurations["num_files"].any():
        silent.append("num_files")
    return configurations.drop(columns=[*silent, "file_others"])


def _on_front(rows: pd.DataFrame) -> NDArray[np.bool_]:
    quality = rows["quality_val_mean"].where(rows["num_failed"] == 0)
    return nondominated(rows["size_bytes_mean"], quality, maximise=_maximise(rows))


def _mean(values: pd.Series) -> float:
    """The mean, rounded only once: equal values have themselves as mean, and the order does not matter."""
    numbers = [float(value) for value in values]
    return statistics.mean(numbers) if all(map(math.isfinite, numbers)) else math.nan


def _representatives(points: pd.DataFrame) -> pd.DataFrame:
    """The row of each configuration's lower-median validation seed.

    Among seeds of equal validation quality the larger file comes first, so that a tie never favours luck. NaN counts as
    worst.
    """
    ordered = points.sort_values(
        ["quality_val", "size_bytes", "seed"], ascending=[_maximise(points), False, True], na_position="first"
    )
    groups = ordered.groupby(KEY, sort=False)
    return ordered[groups.cumcount() == (groups["seed"].transform("size") - 1) // 2]


def _maximise(rows: pd.DataFrame) -> bool:
    return bool(rows["maximise"].all())
