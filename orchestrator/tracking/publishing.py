"""What MLflow is told at the end of a sweep, through the tracker's client: its frontier, and how its UI shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

REPORT = "report/report.html"
"""Among the artifacts of a sweep's own run."""


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """How a sweep meets those who open it in MLflow's UI."""

    experiment_tags: Mapping[str, str]
    """Prepared views, by tag."""
    parent_tags: Mapping[str, str]
    """Of the sweep's own run: its note."""
    colours: Mapping[tuple[str, str], str]
    """Of all runs of an architecture and method, as ``#rrggbb``."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts of the sweep's own run, by path: its tables."""


def publish_frontier(
    client: MlflowClient,
    parent: str,
    search: Callable[[str], list[Any]],
    folder: str,
    *,
    pareto: Sequence[str],
    representative: Sequence[str],
) -> None:
    """Log the files of ``folder`` to the parent run, and tag exactly these runs as the frontier.

    Args:
        client: of the store.
        parent: run id of the sweep.
        search: the sweep's runs that meet a condition.
        folder: of figures and tables.
        pareto: run ids of all seeds on the frontier.
        representative: run ids of those that are drawn.
    """
    for path in sorted(Path(folder).iterdir()):
        client.log_artifact(parent, str(path), "frontier")
    for tag, chosen in (("ratefront.pareto", set(pareto)), ("ratefront.representative", set(representative))):
        tagged = {run.info.run_id for run in search(f"tags.`{tag}` = 'true'")}
        for run_id in tagged - chosen:
            client.delete_tag(run_id, tag)
        for run_id in chosen - tagged:
            client.set_tag(run_id, tag, "true")


def publish_report(client: MlflowClient, parent: str, page: str) -> None:
    """Log the report of a sweep, an HTML page, to its own run."""
    client.log_text(parent, page, REPORT)


def present(
    client: MlflowClient,
    experiment_id: str,
    parent: str,
    search: Callable[[str], list[Any]],
    presentation: Presentation,
) -> None:
    """Write what differs from what is there: each tag is a request.

    Args:
        client, parent, search: as above.
        experiment_id: of the sweep; other sweeps may share it.
        presentation: what to write.
    """
    for path, text in presentation.files.items():
        client.log_text(parent, text, path)
    there = client.get_experiment(experiment_id).tags
    for key, text in presentation.experiment_tags.items():
        if there.get(key) != text:
            client.set_experiment_tag(experiment_id, key, text)
    for run in search(""):
        colour = presentation.colours.get((run.data.params.get("architecture", ""), run.data.params.get("method", "")))
        wanted = {"mlflow.runColor": colour} if colour is not None else {}
        for tag, text in (presentation.parent_tags if run.info.run_id == parent else wanted).items():
            if run.data.tags.get(tag) != text:
                client.set_tag(run.info.run_id, tag, text)
