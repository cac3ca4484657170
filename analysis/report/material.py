"""What a report is made of: everything of one sweep, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

TRIAL_COLUMNS = (
    *("trial_id", "seed", "architecture", "method", "outcome", "reason", "train_s", "environment", "ended_at_s"),
)
CURVE_COLUMNS = ("trial_id", "step", "quality_val", "train_loss", "rate_bits", "rate_comparable")
SHARE_COLUMNS = ("part", "name", "size_bytes")


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """Of one sweep with at least one point."""

    document: Mapping[str, Any]
    """The sweep, complete, as its file has it."""
    sweep_file: str
    """The text of that file."""
    points: pd.DataFrame
    """As ``analysis.points.mlflow.load_points`` gives them."""
    configurations: pd.DataFrame
    """As ``analysis.configurations.summary.summarise`` gives them."""
    published: pd.DataFrame
    """As ``analysis.points.published.read_published`` gives them."""
    trials: pd.DataFrame
    """``TRIAL_COLUMNS``, a row for each that began, in order: ``outcome`` is ``finished``, ``failed``, ``stopped`` or
    ``unfinished``, ``reason`` says why, ``environment`` has what it ran on, by name, and nothing where it was stopped
    before that; ``ended_at_s`` is in seconds since 1970, NaN where it has not ended."""
    curves: pd.DataFrame
    """``CURVE_COLUMNS``, a row for each report of the trials of ``curves.shown``, in order."""
    shares: Mapping[str, pd.DataFrame]
    """``SHARE_COLUMNS``: where the bytes of a file go, by its path, of the files of ``choice.chosen``."""
    methods: Mapping[str, str]
    """What each method is, in a line."""
    commit: str
    """Of git, where the page is made; empty outside of a repository."""
    ui_url: str | None = None
    """Where MLflow's UI is, for clicks on points."""

    @property
    def sweep_id(self) -> str:
        return str(self.points["sweep_id"].iloc[0])

    @property
    def task(self) -> str:
        return str(self.points["task"].iloc[0])

    @property
    def quality_name(self) -> str:
        return str(self.points["quality_name"].iloc[0])

    @property
    def maximise(self) -> bool:
        return bool(self.points["maximise"].iloc[0])

    @property
    def front(self) -> pd.DataFrame:
        """The configurations on the frontier, smallest file first."""
        rows = self.configurations
        return rows[rows["on_front"]].sort_values(["file_size_bytes", "config_hash", "point_id"])
