"""From measured files to configurations: means over seeds, the file that stands for each, the front, the choice.

Validation chooses, test reports: nothing here that chooses reads ``quality``, only ``quality_val``.
"""

from __future__ import annotations

import difflib
import math

import pandas as pd

from analysis.pareto import nondominated
from analysis.units import format_quality

KEY = ["sweep_id", "config_hash", "point_id"]
"""Identifies a configuration: repeats over seeds share it."""

_SHARED = ["task", "architecture", "method", "config", "quality_name", "maximise", "experiment_id"]
_SHARED += ["num_parameters", "macs", "num_steps", "uncompressed_bytes"]
_MEASURED = ["size_bytes", "quality", "quality_val", "compression_ratio"]
_FILE = ["size_bytes", "quality", "quality_val", "compression_ratio", "path", "sha256", "seed", "trial_id", "run_id"]

CONFIGURATION_COLUMNS: tuple[str, ...] = (
    *KEY,
    *_SHARED,
    "num_seeds",
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
        close = difflib.get_close_matches(task, tasks, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(tasks) or 'none'}"
        raise ValueError(f"no points of task {task!r}{hint}")
    return points[points["task"] == task]


def summarise(points: pd.DataFrame) -> pd.DataFrame:
    """One row for each configuration, smallest mean size first.

    ``<name>_mean`` and ``<name>_std`` are over seeds. The standard deviation is the sample's (ddof = 1) and NaN with
    one seed, which has no spread to show. One NaN among the seeds makes the mean NaN, so that a configuration with a
    failed repeat cannot reach the front by its luckier ones.

    ``file_<name>`` belong to one file, the configuration's representative: that of its lower-median validation seed,
    so of an even number of seeds the worse of the middle two. It is what figures draw and what ships.

    ``on_front``: no other configuration is as small and as good, by mean size and mean validation quality.

    Args:
        points: one row for each file: ``OperatingPoint``'s columns, ``run_id``, ``experiment_id``, ``config``.

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
    # rounded, so that equal means of the same values in another order stay equal
    means = groups[_MEASURED].mean(skipna=False).round(12).add_suffix("_mean")
    deviations = groups[_MEASURED].std(skipna=False).add_suffix("_std")
    files = _representatives(points).set_index(KEY)
    table = pd.concat([files[_SHARED], means, deviations, files[_FILE].add_prefix("file_")], axis=1)
    table["num_seeds"] = groups.size()
    table["on_front"] = nondominated(table["size_bytes_mean"], table["quality_val_mean"], maximise=_maximise(points))
    table = table.reset_index().sort_values(["size_bytes_mean", *KEY], ignore_index=True)
    return table[list(CONFIGURATION_COLUMNS)]


def best(
    configurations: pd.DataFrame, *, max_size_bytes: float | None = None, min_quality: float | None = None
) -> pd.Series:
    """The configuration to ship: the best within a budget, or the smallest that is good enough.

    Both limits hold for the mean over seeds and for the representative, because that one file ships.

    Args:
        configurations: of one task, from ``summarise``.
        max_size_bytes: choose the best mean validation quality among those that are no larger.
        min_quality: choose the smallest mean size among those whose validation quality is no worse: no smaller where
            the task maximises, no larger where it minimises.

    Raises:
        ValueError: nothing qualifies, or the call does not set exactly one limit.
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
    if max_size_bytes is not None:
        chosen = measured[measured["largest"] <= max_size_bytes].sort_values(
            ["gain", "size_bytes_mean", *KEY], ascending=[False, True, True, True, True]
        )
        smallest = math.ceil(measured["largest"].min())
        complaint = f"nothing fits in {max_size_bytes:,.0f} B: the smallest is {smallest:,} B"
    else:
        assert min_quality is not None
        chosen = measured[measured["least_gain"] >= sign * min_quality].sort_values(
            ["size_bytes_mean", "gain", *KEY], ascending=[True, False, True, True, True]
        )
        name, most = str(measured["quality_name"].iloc[0]), float(measured["least_gain"].max())
        complaint = (
            f"nothing reaches {name} {format_quality(min_quality, name)} on validation: "
            f"the best has {format_quality(sign * most, name)}"
        )
    if chosen.empty:
        raise ValueError(complaint)
    row: pd.Series = configurations.loc[chosen.index[0]]
    return row


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
