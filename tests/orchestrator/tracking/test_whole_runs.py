"""A run that is written whole is the run that MLflow's client writes."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.running.place import Place
from orchestrator.storage.journal import Journal
from orchestrator.tracking.tracker import Tracker
from orchestrator.tracking.whole_runs import RunDatabase, WholeRun
from tests.orchestrator.trained import EPR, SWEEP

RUN = WholeRun(
    name="a run",
    tags={"ratefront.kind": "trial"},
    params={"steps": "17"},
    metrics={("loss", 3): 0.5, ("loss", 12): 0.25, ("size_bytes", 0): 7.0},
    files={"point.rfz": b"content"},
    began_at_s=5.0,
    ended_at_s=7.25,
)
TABLES = ("tags", "params", "metrics", "latest_metrics")


def experiment_of(place: Place, name: str = "small") -> Any:
    place.store.prepare(name)
    return MlflowClient(place.tracking_uri).get_experiment_by_name(name)


def database_of(place: Place) -> RunDatabase:
    found = RunDatabase.open(place.tracking_uri, experiment_of(place))
    assert found is not None
    return found


def rows(place: Place, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(place.tracking_uri.removeprefix("sqlite:///"))) as database:
        return database.execute(query, values).fetchall()


def content_of(place: Place, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a run, without its id, its parent's and times."""
    found = {}
    for table in ("runs", *TABLES):
        names = [row[1] for row in rows(place, f"PRAGMA table_info({table})")]
        kept = [one for one in names if one not in ("run_uuid", "timestamp", "start_time", "end_time", "experiment_id")]
        found[table] = sorted(rows(place, f"SELECT {', '.join(kept)} FROM {table} WHERE run_uuid = ?", run_id))
    found["tags"] = [row for row in found["tags"] if row[0] != "mlflow.parentRunId"]
    artifact_uri = kept_artifacts(found["runs"])
    assert run_id in artifact_uri
    found["runs"] = [tuple(one for one in row if one != artifact_uri) for row in found["runs"]]
    return found


def kept_artifacts(runs: list[tuple[Any, ...]]) -> str:
    ((*row,),) = runs
    return next(str(one) for one in row if str(one).endswith("/artifacts"))


def test_every_row_and_file_is_as_the_client_writes_them(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient(place.tracking_uri)
    contents, files = [], []
    for name in ("small", "by-client"):
        if name == "by-client":
            monkeypatch.setattr(RunDatabase, "open", lambda tracking_uri, experiment: None)
        experiment_of(place, name)
        tracker = Tracker(trained, tracking_uri=place.tracking_uri, sweep_id=SWEEP.sweep_id, name=name)
        tracker.sync(EPR)
        run = tracker._runs.get(EPR)
        assert run is not None
        contents.append(content_of(place, run.run_id))
        folder = Path(client.download_artifacts(run.run_id, "."))
        files.append({path.name: path.read_bytes() for path in folder.iterdir()})
        read = client.get_run(run.run_id).info
        assert 0 < read.start_time <= read.end_time
    assert contents[0] == contents[1]
    assert all(contents[0][table] for table in TABLES)
    assert files[0] == files[1]
    assert set(files[0]) == {"point.rfz", "sections.csv"}


def test_the_last_value_of_a_metric_is_that_of_its_last_step(place: Place) -> None:
    added = database_of(place).add(RUN)
    assert added is not None
    client = MlflowClient(place.tracking_uri)
    assert client.get_run(added[0]).data.metrics == {"loss": 0.25, "size_bytes": 7.0}
    assert [metric.step for metric in client.get_metric_history(added[0], "loss")] == [3, 12]
    assert [item.path for item in client.list_artifacts(added[0])] == ["point.rfz"]


@pytest.mark.parametrize("error", [sqlite3.OperationalError, KeyboardInterrupt])
def test_a_run_that_is_there_keeps_its_files_whatever_failed_afterwards(
    place: Place, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    database, insert = database_of(place), RunDatabase._insert

    def insert_and_fail(*arguments: Any) -> bool:
        insert(*arguments)
        raise error

    monkeypatch.setattr(RunDatabase, "_insert", insert_and_fail)
    with contextlib.suppress(KeyboardInterrupt):
        assert database.add(RUN) is not None
    ((run_id,),) = rows(place, "SELECT run_uuid FROM runs")
    assert [item.path for item in MlflowClient(place.tracking_uri).list_artifacts(run_id)] == ["point.rfz"]


def test_a_run_lasts_as_long_as_its_training_did(place: Place, trained: Journal) -> None:
    added = database_of(place).add(RUN)
    assert added is not None
    read = MlflowClient(place.tracking_uri).get_run(added[0]).info
    assert (read.start_time, read.end_time) == (5000, 7250)
    tracker = Tracker(trained, tracking_uri=place.tracking_uri, sweep_id=SWEEP.sweep_id, name="small")
    tracker.sync(EPR)
    known, ended = tracker._runs.get(EPR), trained.ended(EPR)
    assert known is not None
    assert ended is not None
    read = MlflowClient(place.tracking_uri).get_run(known.run_id).info
    assert read.end_time == int(ended.ended_at_s * 1000)
    assert read.start_time == int((ended.ended_at_s - ended.points[0].train_s) * 1000)


@pytest.mark.parametrize(
    "changed",
    [
        {"metrics": {("loss", 0): math.nan}},
        {"metrics": {("loss", 0): math.inf}},
        {"params": {"long": "x" * 6001}},
        {"tags": {"long": "x" * 5001}},
        {"params": {"method.ä(b": "1"}},
        {"params": {"../up": "1"}},
        {"params": {"/root": "1"}},
        {"params": {"here/": "1"}},
        {"tags": {"a/./b": "1"}},
        {"metrics": {(".", 0): 1.0}},
        {"ended_at_s": math.nan},
        {"ended_at_s": 4.0},
        {"name": ""},
        {"name": "x" * 251},
    ],
)
def test_what_mlflow_refuses_shortens_or_translates_is_left_to_it(place: Place, changed: dict[str, Any]) -> None:
    database = database_of(place)
    assert database.add(dataclasses.replace(RUN, **changed)) is None
    assert rows(place, "SELECT * FROM runs") == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = 'of the future'",
        "UPDATE experiments SET lifecycle_stage = 'deleted'",
        "UPDATE experiments SET workspace = 'mine'",
        "DROP TABLE latest_metrics",
    ],
)
def test_a_database_that_is_not_as_known_is_left_as_it_is(place: Place, change: str, tmp_path: Path) -> None:
    database = database_of(place)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute(change)
        connection.commit()
    assert database.add(RUN) is None
    assert rows(place, "SELECT * FROM runs") + rows(place, "SELECT * FROM tags") == []
    assert not [path for path in tmp_path.rglob("*") if path.name in ("point.rfz", "artifacts")]


def test_other_stores_are_the_clients(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = experiment_of(place)
    for uri in ("http://localhost:5000", "postgresql://host/mlflow", f"{place.tracking_uri}?timeout=3"):
        assert RunDatabase.open(uri, experiment) is None
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    assert RunDatabase.open(place.tracking_uri, experiment) is None
