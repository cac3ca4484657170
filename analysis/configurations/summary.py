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
from analysis.units import format_quality, quality_scale
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


def best(
    configurations: pd.DataFrame, *, max_size_bytes: float | None = None, min_quality: float | None = None
) -> pd.Series:
    """The configuration to ship: the best within a budget, or the smallest that is good enough.

    Both limits hold for the mean over seeds and for the representative, because that one file ships. A configuration
    of which a seed failed is not chosen.

    Args:
        configurations: of one task, from ``summarise``.
        max_size_bytes: choose the best mean validation quality among those that are no larger.
        min_quality: choose the smallest mean size among those whose validation quality is no worse: no smaller where
            the task maximises, no larger where it minimises.

    Raises:
        ValueError: nothing qualifies, the call does not set exactly one limit, or ``min_quality`` is no such quality.
    """
    if (max_size_bytes is None) == (min_quality is None):
        raise ValueError(f"got {max_size_bytes=}, {min_quality=}: wanted exactly one of the two")
    sign = 1.0 if _maximise(configurations) else -1.0
    measured = configurations.assign(
        largest=configurations[["size_bytes_mean", "file_size_bytes"]].max(axis=1),
        gain=sign * configurations["quality_val_mean"],
        least_gain=(sign * configurations[["quality_val_mean", "file_quality_val"]]).min(axis=1),
    ).dropna(subset=["gain"])
    if measured.empty:
        raise ValueError("no measured configuration to choose from: run a sweep first")
    measured = measured[measured["num_failed"] == 0]
    if measured.empty:
        raise ValueError("no configuration to choose from: of each, a seed failed; run the failed trials again")
    if max_size_bytes is not None:
        chosen = measured[measured["largest"] <= max_size_bytes].sort_values(
            ["gain", "size_bytes_mean", *KEY], ascending=[False, True, True, True, True]
        )
        smallest = math.ceil(measured["largest"].min())
        complaint = f"nothing fits in {max_size_bytes:,.0f} B: the smallest is {smallest:,} B"
    else:
        assert min_quality is not None
        name, most = str(measured["quality_name"].iloc[0]), float(measured["least_gain"].max())
        _check_quality(name, min_quality)
        chosen = measured[measured["least_gain"] >= sign * min_quality].sort_values(
            ["size_bytes_mean", "gain", *KEY], ascending=[True, False, True, True, True]
        )
        complaint = (
            f"nothing reaches {name} {format_quality(min_quality, name)} on validation: "
            f"the best has {format_quality(sign * most, name)}"
        )
    if chosen.empty:
        raise ValueError(complaint)
    row: pd.Series = configurations.loc[chosen.index[0]]
    return row


def _on_front(rows: pd.DataFrame) -> NDArray[np.bool_]:
    quality = rows["quality_val_mean"].where(rows["num_failed"] == 0)
    return nondominated(rows["size_bytes_mean"], quality, maximise=_maximise(rows))


def _mean(values: pd.Series) -> float:
    """Exact before it is rounded once: equal seeds have their own value as mean, and their order does not matter."""
    numbers = [float(value) for value in values]
    return statistics.mean(numbers) if all(map(math.isfinite, numbers)) else math.nan


def _check_quality(name: str, quality: float) -> None:
    if quality_scale(name)[0] == 100 and not 0 <= quality <= 1:
        example = quality / 100 if 1 < quality <= 100 else 0.97
        raise ValueError(f"{name} is a fraction in 0..1: got {quality:g}, wanted such as {example:g}")


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
