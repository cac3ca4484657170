"""A finished sweep leaves in MLflow what its UI shows."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.tracking.ui.saved_views import MAX_TAG_LENGTH
from tests.console import NUM_FAILED, NUM_TRIALS, Finished

NUM_POINTS = NUM_TRIALS - NUM_FAILED


@pytest.fixture(scope="module")
def client(finished: Finished) -> MlflowClient:
    return MlflowClient(finished.tracking_uri)


@pytest.fixture(scope="module")
def experiment(client: MlflowClient) -> Any:
    return client.get_experiment_by_name("tiny")


@pytest.fixture(scope="module")
def parent(client: MlflowClient, experiment: Any) -> Any:
    (run,) = client.search_runs([experiment.experiment_id], "tags.`ratefront.kind` = 'sweep'")
    return run


@pytest.fixture(scope="module")
def views(finished: Finished, experiment: Any) -> dict[str, dict[str, Any]]:
    start = f"mlflow.sharedViewState.{finished.sweep_directory.name}-"
    tags = {key.removeprefix(start): text for key, text in experiment.tags.items() if key.startswith(start)}
    assert max(map(len, tags.values())) < MAX_TAG_LENGTH / 4
    packed = {name: json.loads(text)["state"].removeprefix("deflate;") for name, text in tags.items()}
    return {name: json.loads(zlib.decompress(base64.b64decode(text))) for name, text in packed.items()}


def test_every_view_finds_runs_that_have_its_columns_and_no_others(
    client: MlflowClient, experiment: Any, views: dict[str, dict[str, Any]]
) -> None:
    """MLflow itself applies the filters."""
    counts = {}
    for name, state in views.items():
        order = f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"
        runs = client.search_runs([experiment.experiment_id], state["searchFilter"], order_by=[order])
        counts[name] = len(runs)
        there = {f"metrics.`{key}`" for run in runs for key in run.data.metrics}
        there |= {f"params.`{key}`" for run in runs for key in run.data.params}
        # on a frontier a setting's method may be missing
        assert set(state["selectedColumns"]) <= there or name == "frontier"
    front = sum(
        run.data.tags.get("ratefront.pareto") == "true" for run in client.search_runs([experiment.experiment_id])
    )
    assert counts == {"frontier": front, "points": NUM_POINTS, "means": NUM_POINTS, "curves": NUM_TRIALS}


def test_every_metric_is_drawn_or_turned_off(
    client: MlflowClient, experiment: Any, views: dict[str, dict[str, Any]]
) -> None:
    logged = {key for run in client.search_runs([experiment.experiment_id]) for key in run.data.metrics}
    for state in views.values():
        assert {chart["metricKey"] for chart in state["compareRunCharts"] if chart["type"] == "BAR"} == logged


def test_every_point_has_a_colour_and_says_its_architecture(client: MlflowClient, experiment: Any) -> None:
    runs = client.search_runs([experiment.experiment_id], "tags.`ratefront.point` = 'true'")
    assert len(runs) == NUM_POINTS
    colours = {
        (run.data.params["architecture"], run.data.params["method"], run.data.tags["mlflow.runColor"]) for run in runs
    }
    assert len(colours) == 6  # one for each architecture and method
    assert all(re.fullmatch("#[0-9a-f]{6}", colour.lower()) for *_, colour in colours)
    for run in runs:
        assert run.info.run_name == f"{run.data.tags['ratefront.trial_id']} {run.data.params['architecture']}"


def test_the_sweeps_run_has_a_note_whose_links_lead_somewhere(
    finished: Finished, client: MlflowClient, experiment: Any, parent: Any
) -> None:
    note = parent.data.tags["mlflow.note.content"]
    assert f"{NUM_POINTS} of {NUM_TRIALS} trials finished, {NUM_FAILED} failed" in note
    (picture,) = re.findall(rf"\(get-artifact\?path=(\S+)&run_uuid={parent.info.run_id}\)", note)
    keys = re.findall(r"viewStateShareKey=([\w-]+)\)", note)
    artifacts = [picture, *re.findall(rf"/runs/{parent.info.run_id}/artifacts/(\S+)\?", note)]
    there = [item for folder in ("frontier", "report") for item in client.list_artifacts(parent.info.run_id, folder)]
    assert set(artifacts) <= {item.path for item in there}
    assert len(keys) == 3
    assert {f"mlflow.sharedViewState.{key}" for key in keys} <= set(experiment.tags)
    pages = set(re.findall(r"/runs/([0-9a-f]{32})\?", note))
    assert pages <= {run.info.run_id for run in client.search_runs([experiment.experiment_id])}


def test_points_and_frontier_are_tables(client: MlflowClient, parent: Any) -> None:
    tables = json.loads(parent.data.tags["mlflow.loggedArtifacts"])
    assert [table["path"] for table in tables] == ["frontier/frontier.json", "frontier/points.json"]
    for table, num_rows in zip(tables, (None, NUM_POINTS), strict=True):
        content = json.loads(Path(client.download_artifacts(parent.info.run_id, table["path"])).read_text())
        assert set(content) == {"columns", "data"}
        assert num_rows in (None, len(content["data"]))
        assert all(len(row) == len(content["columns"]) for row in content["data"])


def test_the_figure_is_shown_without_a_network(client: MlflowClient, parent: Any) -> None:
    page = Path(client.download_artifacts(parent.info.run_id, "frontier/frontier.html")).read_text()
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="?https?://', page)


def test_the_end_of_a_sweep_says_what_opens_it(finished: Finished) -> None:
    assert f"\nin MLflow's UI: ratefront ui {finished.sweep_directory.name}\n" in finished.process.stdout
