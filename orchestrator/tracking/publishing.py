"""What MLflow is told at the end of a sweep: its frontier, its report, and how the UI shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts of the sweep's own run, by path: its tables."""


def publish_frontier(
    client: MlflowClient, runs: SweepRuns, folder: str, *, pareto: Sequence[str], representative: Sequence[str]
) -> None:
    """Log the files of ``folder`` to the sweep's own run, and tag exactly these runs as the frontier.

    Args:
        client: of the store.
        runs: of the sweep.
        folder: holds figures and tables.
        pareto: run ids of all seeds on the frontier.
        representative: run ids of those that are drawn.
    """
    for path in sorted(Path(folder).iterdir()):
        client.log_artifact(runs.parent_id, str(path), "frontier")
    for tag, chosen in (("ratefront.pareto", set(pareto)), ("ratefront.representative", set(representative))):
        tagged = {run.info.run_id for run in runs.search(f"tags.`{tag}` = 'true'")}
        for run_id in tagged - chosen:
            without_tag(client, run_id, tag)
        for run_id in chosen - tagged:
            client.set_tag(run_id, tag, "true")


def publish_report(client: MlflowClient, runs: SweepRuns, page: str) -> None:
    """Log the report of a sweep, an HTML page, to its own run."""
    client.log_text(runs.parent_id, page, REPORT)


def present(client: MlflowClient, runs: SweepRuns, presentation: Presentation) -> None:
    """Write the tags that differ from what is there, since each is a request, and the files.

    Args:
        client: of the store.
        runs: of the sweep; other sweeps may share its experiment.
        presentation: what to write.
    """
    for path, text in presentation.files.items():
        client.log_text(runs.parent_id, text, path)
    there = client.get_experiment(runs.experiment_id).tags
    for key, text in presentation.experiment_tags.items():
        if there.get(key) != text:
            client.set_experiment_tag(runs.experiment_id, key, text)
    for run in runs.search():
        colour = presentation.colours.get((run.data.params.get("architecture", ""), run.data.params.get("method", "")))
        wanted = {"mlflow.runColor": colour} if colour is not None else {}
        for tag, text in (presentation.parent_tags if run.info.run_id == runs.parent_id else wanted).items():
            if run.data.tags.get(tag) != text:
                client.set_tag(run.info.run_id, tag, text)
