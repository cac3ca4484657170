"""Writes points and frontier as tables that MLflow's UI shows: JSON as its ``log_table`` makes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from analysis import fidelity
from analysis.frontier.columns import LOGGED, shown
from analysis.frontier.table import ordered
from analysis.points import qualities
from analysis.signals import is_fitted, rate_of

if TYPE_CHECKING:
    import pandas as pd

PATHS = ("frontier/frontier.json", "frontier/points.json")
"""Paths of the tables among the artifacts of a sweep's own run."""

LOGGED_TAG = "mlflow.loggedArtifacts"
"""The tag that names a run's tables, for the UI's view of artifacts side by side."""

_POINT_COLUMNS = ["architecture", "method", "label", "seed", "size_bytes", "quality_val", "quality"]
_POINT_COLUMNS += ["uncompressed_bytes", "num_steps", "train_s", "trial_id", "point_id", "run_id"]


def table_files(configurations: pd.DataFrame, points: pd.DataFrame) -> dict[str, str]:
    """The text of each file, by its path.

    Args:
        configurations: a sweep's, as ``analysis.configurations.summary.summarise`` makes them of ``points``.
        points: its points.
    """
    columns = [name for column in shown(LOGGED, configurations) for name in column.values]
    front = ordered(configurations[configurations["on_front"]])[columns]
    near = [name for name in fidelity.COLUMNS if points[name].notna().any()]
    measured = qualities.with_columns(points)
    rate = rate_of(points)
    if rate:
        measured = measured.assign(**{rate: 8 * points["size_bytes"] / points["signal_count"]})
    columns = [*_POINT_COLUMNS, *near, *([rate] if rate else []), *qualities.columns_of(measured)]
    if is_fitted(points):  # validation has what test has
        columns = [name for name in columns if name != "quality_val" and not name.startswith(qualities.VALIDATION)]
    tables = (front, measured.sort_values("size_bytes")[columns])
    return {path: table.to_json(orient="split", index=False) for path, table in zip(PATHS, tables, strict=True)}


def logged_tag() -> str:
    """The value of ``LOGGED_TAG`` on a run with these tables."""
    return json.dumps([{"path": path, "type": "table"} for path in PATHS])
