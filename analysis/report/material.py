"""The data that a report is made of: everything about one sweep, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis.signals import is_fitted, split_of

TRIAL_COLUMNS = (
    *("trial_id", "seed", "architecture", "method", "outcome", "reason", "train_s", "environment", "ended_at_s"),
)
CURVE_COLUMNS = ("trial_id", "step", "quality_val", "train_loss", "rate_bits", "rate_comparable")
SHARE_COLUMNS = ("part", "name", "size_bytes")


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What a file decodes to, as a picture."""

    size_bytes: int
    """Length of the file."""
    quality: float
    label: str
    """The method, and the settings that tell it from others."""
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Pictured:
    """An image, and what files of the frontier that were fitted to it decode to."""

    name: str
    """Empty where the sweep has one image."""
    original: bytes
    """A PNG file."""
    decoded: Sequence[Decoded]

    def with_decoded(self, decoded: Sequence[Decoded]) -> Pictured:
        return replace(self, decoded=decoded)


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """Everything about one sweep that has at least one point."""

    document: Mapping[str, Any]
    """The complete sweep, as its file has it."""
    sweep_file: str
    """The text of that file."""
    points: pd.DataFrame
    """The sweep's points, from ``load_points``."""
    configurations: pd.DataFrame
    """The sweep's configurations, from ``summarise``."""
    published: pd.DataFrame
    """The rows of papers, from ``read_published``."""
    trials: pd.DataFrame
    """``TRIAL_COLUMNS``, a row for each trial that began, in order.

    ``outcome`` is ``finished``, ``failed``, ``stopped`` or ``unfinished``, and ``reason`` says why. ``environment`` has
    by name what the trial ran on; it is empty where the trial was stopped before it ran. ``ended_at_s`` is in seconds
    since 1970, NaN where the trial has not ended."""
    curves: pd.DataFrame
    """``CURVE_COLUMNS``, a row for each report of the trials in ``curves.shown``, in order."""
    shares: Mapping[str, pd.DataFrame]
    """Where the bytes of each file in ``recommendations.chosen`` go: ``SHARE_COLUMNS`` by the file's path."""
    methods: Mapping[str, str]
    """One line about each method, by its name."""
    commit: str
    """Git's commit where the page is made; empty outside of a repository."""
    pictures: Sequence[Pictured] = ()
    """The first images of a sweep on images, with pictures along the frontier."""
    ui_url: str | None = None
    """The address of MLflow's UI, for clicks on points."""

    @property
    def sweep_id(self) -> str:
        return str(self.points["sweep_id"].iloc[0])

    @property
    def task(self) -> str:
        return str(self.points["task"].iloc[0])

    @property
    def is_fitted(self) -> bool:
        """Whether the task is one signal: there is no test quality then."""
        return is_fitted(self.points)

    @property
    def split(self) -> str:
        """Where quality is reported: ``fitted``, else ``test``."""
        return split_of(self.quality_name, fitted=self.is_fitted)

    @property
    def num_images(self) -> int:
        """How many images the sweep has."""
        return max(1, int(self.configurations["num_files"].max()))

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
