"""The pictures that reports and exports show of a sweep on images: decoded ones along the frontier, and the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import Journal
from orchestrator.storage.pictures import original_of, picture_of, read_picture

if TYPE_CHECKING:
    import pandas as pd

MOST_IMAGES = 3
"""The most images that are shown, the first ones."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An image, and the points of the frontier that were fitted to it."""

    name: str
    """The image's ``task_file``; empty where the sweep has one image."""
    original: bytes
    points: list[Mapping[str, Any]]
    """Rows of points, smallest configuration first."""
    decoded: list[bytes]
    """The PNG of each."""


def shown_pictures(journal: Journal, configurations: pd.DataFrame, points: pd.DataFrame) -> list[Shown]:
    """The pictures of the first images, in the order of their trials; none where the task is no image.

    Args:
        journal: the sweep's journal.
        configurations: from ``summarise``.
        points: what ``summarise`` was given.
    """
    from analysis.configurations.summary import representing
    from analysis.keys import KEY

    front = configurations[configurations["on_front"]].sort_values(["size_bytes_mean", "config_hash", "point_id"])
    rows = front[KEY].merge(representing(front, points), on=KEY)  # in the order of the front
    found = []
    for name in _first_images(rows):
        own = list(rows[rows["task_file"] == name].to_dict("records"))
        pictures = [(row, read_picture(journal, picture_of(row["path"]))) for row in own]
        decoded = [(row, picture) for row, picture in pictures if picture is not None]
        original = _original(journal, str(own[0]["trial_id"]))
        if decoded and original is not None:
            kept, content = zip(*decoded, strict=True)
            found.append(Shown(name=name, original=original, points=list(kept), decoded=list(content)))
    return found


def _first_images(rows: pd.DataFrame) -> list[str]:
    """The names of the first images: the ids of a configuration's trials are in the order of the sweep's file."""
    by_trial = rows.sort_values("trial_id").drop_duplicates("task_file")
    of_one = by_trial.assign(ending=by_trial["trial_id"].str.rpartition("-")[2]).sort_values("ending")
    return list(of_one["task_file"])[:MOST_IMAGES]


def _original(journal: Journal, trial_id: str) -> bytes | None:
    try:
        config = journal.config(trial_id)
    except DamagedError:
        return None
    return None if config is None else read_picture(journal, original_of(config["task"]))
