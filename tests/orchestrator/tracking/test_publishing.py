"""What the end of a sweep writes to MLflow, and that it writes nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.tracking.publishing import Presentation, present, publish_frontier
from orchestrator.tracking.runs import SweepRuns
from tests.analysis.points.store import Writer

SHOWN = Presentation(
    experiment_tags={"mlflow.sharedViewState.a": "{}"},
    parent_tags={"mlflow.note.content": "a note"},
    colours={("mlp(hidden=[64])", "epr"): "#0072B2"},
    files={"frontier/points.json": '{"columns": ["seed"], "data": [[1]]}'},
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> Writer:
    """A sweep with a trial of one point, one of two, and one that failed."""
    folder = tmp_path_factory.mktemp("store")
    (folder / "mlflow.db").write_bytes(empty_store)
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    written = Writer(client, client.create_experiment("digits", (folder / "artifacts").as_uri()), "digits-0123abcd")
    written.trial("t0", 1)
    several = written.trial("t1", 2)
    for name, text in (("architecture", "mlp(hidden=[64])"), ("method", "epr")):
        client.log_param(several, name, text)
    written.trial("t2", 0, "FAILED")
    return written


def search(sweep: Writer, condition: str = "") -> list[Any]:
    return list(sweep.client.search_runs([sweep.experiment_id], condition))


def runs_of(sweep: Writer) -> SweepRuns:
    runs = SweepRuns(
        sweep.client, sweep.client.get_experiment(sweep.experiment_id), sweep_id=sweep.sweep_id, instance=""
    )
    runs.find()
    assert runs.parent_id == sweep.parent
    return runs


@pytest.fixture
def requests(sweep: Writer, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The requests that write tags of runs, as they are sent: the verb, the run, and what is written."""
    sent: list[tuple[Any, ...]] = []

    def noted(verb: str) -> Callable[..., None]:
        carry_out = getattr(sweep.client, verb)

        def call(*given: Any, **named: Any) -> None:
            sent.append((verb, *given, named))
            carry_out(*given, **named)

        return call

    for verb in ("set_tag", "delete_tag", "log_batch"):
        monkeypatch.setattr(sweep.client, verb, noted(verb))
    return sent


def test_trials_and_points_of_an_architecture_and_method_have_its_colour(
    sweep: Writer, requests: list[tuple[Any, ...]]
) -> None:
    present(sweep.client, runs_of(sweep), SHOWN)
    coloured = [run.info.run_id for run in search(sweep) if run.data.tags.get("mlflow.runColor") == "#0072B2"]
    assert coloured == [run.info.run_id for run in search(sweep) if run.data.params.get("method") == "epr"]
    assert len(coloured) == 4
    parent = sweep.client.get_run(sweep.parent)
    assert parent.data.tags["mlflow.note.content"] == "a note"
    assert sweep.client.get_experiment(sweep.experiment_id).tags["mlflow.sharedViewState.a"] == "{}"
    table = Path(sweep.client.download_artifacts(sweep.parent, "frontier/points.json"))
    assert json.loads(table.read_text())["data"] == [[1]]

    requests.clear()
    present(sweep.client, runs_of(sweep), SHOWN)
    assert requests == []


def test_only_what_is_on_the_frontier_now_is_tagged(
    sweep: Writer, requests: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    (tmp_path / "frontier.csv").write_text("size_bytes\n")
    first, second, third = (run.info.run_id for run in search(sweep, "tags.`ratefront.point` = 'true'"))
    for pareto in ([first, second], [second, third]):
        requests.clear()
        publish_frontier(sweep.client, runs_of(sweep), str(tmp_path))
        present(sweep.client, runs_of(sweep), replace(SHOWN, pareto=pareto, representative=pareto[:1]))
        written = [run_id for verb, run_id, *_ in requests if verb == "log_batch"]
        assert len(written) == len(set(written)), "all tags of a run go in one request"
        assert {run.info.run_id for run in search(sweep, "tags.`ratefront.pareto` = 'true'")} == set(pareto)
        (drawn,) = search(sweep, "tags.`ratefront.representative` = 'true'")
        assert drawn.info.run_id == pareto[0]
    assert [item.path for item in sweep.client.list_artifacts(sweep.parent, "frontier")] == [
        *("frontier/frontier.csv", "frontier/points.json")
    ]
