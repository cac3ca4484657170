"""Addresses within MLflow's UI. Each says the workflow type: without it the UI opens on a page for language models."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from urllib.parse import quote

from analysis.points.tracking_uri import without_credentials
from orchestrator.tracking.store import default_tracking_uri

MAX_ROWS = 100
"""How many runs the UI loads into a table, and draws in a chart, before anybody asks for more."""

_TYPE = {"workflowType": "machine_learning"}


def view_id(sweep_id: str, name: str) -> str:
    """The id of a sweep's prepared view: several sweeps may share an experiment, and each has views of its own."""
    return f"{sweep_id}-{name}"


def landing(num_points: int) -> str:
    """The name of the view that shows a whole sweep: all its points, or its frontier where the UI would leave some out.

    Args:
        num_points: how many points the sweep has.
    """
    return "points" if num_points <= MAX_ROWS else "frontier"


def pages(base: str, experiment_id: str, run_id: str, sweep_id: str, num_points: int) -> dict[str, str]:
    """Addresses of a sweep whose views are prepared, by what they show; the first shows most.

    Args:
        base: the UI's address, such as ``http://localhost:5000``; empty for links from one of its pages to another.
        experiment_id: id of the sweep's experiment.
        run_id: id of the sweep's own run.
        sweep_id: the sweep's id.
        num_points: how many points it has.
    """
    shown, front = view_id(sweep_id, landing(num_points)), view_id(sweep_id, "frontier")
    return {
        "charts": runs(base, experiment_id, {"compareRunsMode": "CHART", "viewStateShareKey": shown}),
        "frontier": runs(base, experiment_id, {"viewStateShareKey": front}),
        "curves": runs(
            base, experiment_id, {"compareRunsMode": "CHART", "viewStateShareKey": view_id(sweep_id, "curves")}
        ),
        "sweep": run(base, experiment_id, run_id),
    }


def ui_command(tracking_uri: str, sweep_id: str) -> str:
    """The command that shows a sweep of a store that has no server."""
    where = "" if tracking_uri == default_tracking_uri() else shlex.quote(without_credentials(tracking_uri))
    return f"ratefront ui {sweep_id}" + (f" --tracking-uri {where}" if where else "")


def unprepared(base: str, experiment_id: str, sweep_id: str) -> str:
    """The address of the points of a sweep that has no views yet, largest last.

    They are sorted by a metric, or the UI would hide them below the sweep's run.
    """
    found = f"tags.`ratefront.sweep_id` = '{sweep_id}' AND tags.`ratefront.point` = 'true'"
    order = {"orderByKey": "metrics.`size_bytes`", "orderByAsc": "true"}
    return runs(base, experiment_id, {"searchFilter": found, **order})


def runs(base: str, experiment_id: str, query: Mapping[str, str]) -> str:
    """The address of the runs of an experiment: a table, or charts."""
    return f"{_experiment(base, experiment_id)}/runs?{_query(query)}"


def run(base: str, experiment_id: str, run_id: str) -> str:
    """The address of one run's page."""
    return f"{_experiment(base, experiment_id)}/runs/{quote(run_id, safe='')}?{_query({})}"


def artifact(base: str, experiment_id: str, run_id: str, path: str) -> str:
    """The address of a page that shows a file of a run."""
    return f"{_experiment(base, experiment_id)}/runs/{quote(run_id, safe='')}/artifacts/{quote(path)}?{_query({})}"


def _experiment(base: str, experiment_id: str) -> str:
    return (
        f"{base.rstrip('/')}/#/experiments/{quote(experiment_id, safe='')}"
        if base
        else f"#/experiments/{experiment_id}"
    )


def _query(query: Mapping[str, str]) -> str:
    return "&".join(f"{key}={quote(text, safe='')}" for key, text in {**_TYPE, **query}.items())
