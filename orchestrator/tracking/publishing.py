"""What MLflow is told at the end of a sweep: its frontier, its report, and how the UI shows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.tracking.runs import SweepRuns, without_tag

if TYPE_CHECKING:
    from mlflow import MlflowClient

REPORT = "report/report.html"
"""Path of the report among the artifacts of a sweep's own run."""


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """How a sweep meets those who open it in MLflow's UI."""

    experiment_tags: Mapping[str, str]
    """Prepared views, by tag."""
    parent_tags: Mapping[str, str]
    """Tags of the sweep's own run: its note, and which tables it has."""
    colours: Mapping[tuple[str, str], str]
    """Colour of all runs of an architecture and method, as ``#rrggbb``."""
    pareto: Collection[str] = ()
    """Ids of the runs of all seeds on the frontier: exactly these are tagged so."""
    representative: Collection[str] = ()
    """Ids of the runs whose files are drawn."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts of the sweep's own run, by path: its tables."""


def publish_frontier(client: MlflowClient, runs: SweepRuns, folder: str) -> None:
    """Log the files of ``folder``, figures and tables, to the sweep's own run."""
    for path in sorted(Path(folder).iterdir()):
        client.log_artifact(runs.parent_id, str(path), "frontier")


def publish_report(client: MlflowClient, runs: SweepRuns, page: str) -> None:
    """Log the report of a sweep, an HTML page, to its own run."""
    client.log_text(runs.parent_id, page, REPORT)


def present(client: MlflowClient, runs: SweepRuns, presentation: Presentation) -> None:
    """Write the files, and the tags that differ from what is there: one request for each run that lacks some.

    Args:
        client: of the store.
        runs: of the sweep; other sweeps may share its experiment.
        presentation: what to write.
    """
    from mlflow.entities import RunTag

    for path, text in presentation.files.items():
        client.log_text(runs.parent_id, text, path)
    there = client.get_experiment(runs.experiment_id).tags
    for key, text in presentation.experiment_tags.items():
        if there.get(key) != text:
            client.set_experiment_tag(runs.experiment_id, key, text)
    pareto, representative = set(presentation.pareto), set(presentation.representative)
    for run in runs.find():
        run_id, tags = run.info.run_id, run.data.tags
        if run_id == runs.parent_id:
            for tag, text in presentation.parent_tags.items():
                if tags.get(tag) != text:
                    client.set_tag(run_id, tag, text)
            continue
        wanted: dict[str, str] = {}
        colour = presentation.colours.get((run.data.params.get("architecture", ""), run.data.params.get("method", "")))
        if colour is not None:
            wanted["mlflow.runColor"] = colour
        for tag, chosen in (("ratefront.pareto", pareto), ("ratefront.representative", representative)):
            if run_id in chosen:
                wanted[tag] = "true"
            elif tag in tags:
                without_tag(client, run_id, tag)
        missing = [RunTag(tag, text) for tag, text in wanted.items() if tags.get(tag) != text]
        if missing:
            client.log_batch(run_id, tags=missing)
