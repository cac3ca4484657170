"""Files as repeats: where a task has files in turn, such as images, each point of a configuration is a mean over them.

Sizes and qualities are averaged as they are: the mean of the files' bytes, and of their PSNR in dB. Bits for each
sample are those of all files over the samples of all.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from analysis.keys import KEY

_COUNTS = ("size_bytes", "uncompressed_bytes", "num_parameters", "macs", "num_steps", "signal_count")
_NUMBERS = ("quality", "quality_val", "train_s", "kl", "agreement", "output_error")
_REPEAT = [*KEY, "seed"]


def over_files(points: pd.DataFrame) -> pd.DataFrame:
    """One row for each point of a configuration and a seed, in which numbers are means over files, counts rounded.

    The other columns, such as ``path``, are those of the file with the lower-median validation quality; ``task_file``
    is empty. Points of tasks without files in turn are returned as they are.

    Args:
        points: those of one task, as ``load_points`` gives them.
    """
    points = balanced(points)
    if not has_files(points):
        return points
    ordered = points.sort_values(
        ["quality_val", "size_bytes", "task_file"],
        ascending=[bool(points["maximise"].all()), False, True],
        na_position="first",
    )
    groups = ordered.groupby(_REPEAT, sort=False)
    middle = ordered[groups.cumcount() == (groups["seed"].transform("size") - 1) // 2]
    rows = middle.set_index(_REPEAT)
    for name in _NUMBERS:
        rows[name] = groups[name].agg(_mean)
    for name in _COUNTS:
        rows[name] = groups[name].mean().round().astype("int64")
    rows["num_failed"], rows["is_constant"] = groups["num_failed"].max(), groups["is_constant"].any()
    rows["others"] = groups["others"].agg(_mean_of_others)
    rows = rows.reset_index().assign(task_file="").set_axis(middle.index)
    return rows[points.columns].sort_index(kind="stable").reset_index(drop=True)


def stored_last(points: pd.DataFrame) -> pd.DataFrame:
    """As ``over_files``, with ``trial_id`` that of the last file: with it the mean is known."""
    if not has_files(points):
        return points
    last = points.groupby(_REPEAT)["trial_id"].max().rename("last")
    rows = over_files(points).join(last, on=_REPEAT)
    return rows.assign(trial_id=rows["last"]).drop(columns="last")


def balanced(points: pd.DataFrame) -> pd.DataFrame:
    """The points of repeats with every file; a configuration that has no such repeat is kept, as one that failed.

    Every file is each that some point of the same task has. So no mean is one over the easiest files.
    """
    if not has_files(points):
        return points
    wanted = points.groupby("task")["task_file"].transform("nunique")
    here = points.groupby(_REPEAT)["task_file"].transform("nunique")
    is_whole = here == wanted
    has_whole = is_whole.groupby([points[name] for name in KEY]).transform("any")
    lacking = (wanted - here).where(~has_whole, 0)
    kept = points.assign(num_failed=np.maximum(points["num_failed"], lacking))[is_whole | ~has_whole]
    return kept.astype({"num_failed": "int64"}).reset_index(drop=True)


def has_files(points: pd.DataFrame) -> bool:
    """Whether files are repeats of the points."""
    return bool((points["task_file"] != "").any())


def _mean(values: pd.Series) -> float:
    return float(values.mean(skipna=False))


def _mean_of_others(texts: pd.Series) -> str:
    """Means of other qualities by name, of those that every file has, in the form of ``others``."""
    found: list[dict[str, dict[str, Any]]] = [json.loads(text or "{}") for text in texts]
    shared = [name for name in found[0] if all(name in one for one in found)]
    means = {
        name: found[0][name]
        | {key: float(np.mean([one[name][key] for one in found])) for key in ("quality", "quality_val")}
        for name in shared
    }
    return json.dumps(means, ensure_ascii=False, separators=(",", ":")) if means else ""
