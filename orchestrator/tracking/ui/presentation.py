"""Puts together all that a sweep's end tells MLflow's UI, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.tracking.publishing import Presentation
from orchestrator.tracking.ui.colours import colours_of
from orchestrator.tracking.ui.facts import facts_of
from orchestrator.tracking.ui.note import Ending, note
from orchestrator.tracking.ui.saved_views import view_tags
from orchestrator.tracking.ui.tables import LOGGED_TAG, logged_tag, table_files

if TYPE_CHECKING:
    import pandas as pd


def presentation_of(
    document: Mapping[str, Any], configurations: pd.DataFrame, points: pd.DataFrame, ending: Ending, *, now_ms: int
) -> Presentation:
    """Views, colours, the note and tables of one sweep.

    Args:
        document: the sweep, as ``Sweep.to_dict`` gives it.
        configurations: its configurations, as ``analysis.configurations.summary.summarise`` makes them of ``points``.
        points: its points, at least one, as ``analysis.points.mlflow.load_points`` gives them.
        ending: how its trials ended.
        now_ms: milliseconds since 1970.
    """
    text = note(document, configurations, len(points), ending)
    return Presentation(
        experiment_tags=view_tags(facts_of(points), now_ms=now_ms),
        parent_tags={"mlflow.note.content": text, LOGGED_TAG: logged_tag()},
        colours=colours_of(points),
        files=table_files(configurations, points),
    )
