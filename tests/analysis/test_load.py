"""Reading a real MLflow database, laid out as the orchestrator does."""

from __future__ import annotations

import re
import socket
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from analysis.frontier import summarise
from analysis.load import POINT_COLUMNS, SWEEP_COLUMNS, list_sweeps, load_points
from trainers.record import COLUMNS

if TYPE_CHECKING:
    from mlflow import MlflowClient

OLD, NEW, OTHER = "digits-00000001", "digits-00000002-2", "mnist_small-00000003"


class Writer:
    """Writes what the orchestrator's tracker writes."""

    def __init__(self, client: MlflowClient, experiment_id: str, sweep_id: str) -> None:
        self.client, self.experiment_id, self.sweep_id = client, experiment_id, sweep_id
        self.parent = self.run("sweep", {})

    def run(self, kind: str, tags: dict[str, str]) -> str:
        tags = {"ratefront.kind": kind, "ratefront.sweep_id": self.sweep_id, **tags}
        time.sleep(0.002)  # MLflow orders by milliseconds
        return str(self.client.create_run(self.experiment_id, tags=tags).info.run_id)

    def trial(self, trial_id: str, num_points: int, status: str = "FINISHED", **params: str) -> None:
        from mlflow.entities import Metric, Param, RunTag

        trial_tags = {"mlflow.parentRunId": self.parent, "ratefront.trial_id": trial_id}
        trial_run = self.run("trial", trial_tags)
        params = {
            "task": "digits",
            "architecture": "mlp(hidden=[64])",
            "method": "epr",
            "seed": "1",
            "steps": "9",
        } | params
        for index in range(num_points):
            run_id = trial_run
            if num_points > 1:
                run_id = self.run("point", {**trial_tags, "mlflow.parentRunId": trial_run})
            metrics = {
                "size_bytes": 1000.0 + index,
                "accuracy": 0.95,
                "accuracy_val": 0.96,
                "compression_ratio": 19.24,
                "num_parameters": 4810.0,
                "macs": 4736.0,
                "num_steps": 2000.0,
                "train_s": 1.5,
                "uncompressed_bytes": 19240.0,
                "epoch_train_loss": 0.1,
            }
            tags = {
                "point": "true",
                "point_id": str(index),
                "config_hash": "abc",
                "sha256": "ab" * 32,
                "path": f"{trial_id}/{index}.rfz",
                "quality_name": "accuracy",
                "maximise": "true",
            }
            self.client.log_batch(
                run_id,
                [Metric(name, value, 0, 0) for name, value in metrics.items()],
                [Param(name, value) for name, value in params.items()],
                [RunTag(f"ratefront.{name}", value) for name, value in tags.items()],
            )
            if run_id != trial_run:
                self.client.set_terminated(run_id, status)
        self.client.set_terminated(trial_run, status)


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("tracking")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    digits, mnist = (client.create_experiment(name, f"{folder}/artifacts") for name in ("digits", "mnist_small"))
    old = Writer(client, digits, OLD)
    old.trial("t0", 1, **{"method.lam": "0.3"})
    client.set_terminated(old.parent, "KILLED")
    new = Writer(client, digits, NEW)
    new.trial("t1", 1, **{"method.lam": "0.3", "seed": "2"})
    new.trial("t2", 2, **{"method.lam": "0.1234567"})
    new.trial("t3", 1, status="FAILED")
    new.trial("t4", 1, status="KILLED")
    new.run("trial", {"ratefront.trial_id": "t5"})
    Writer(client, mnist, OTHER)
    client.create_run(mnist, tags={"mlflow.note": "somebody else's"})
    return uri


def test_finished_points_become_rows_with_the_columns_of_a_record(tracking_uri: str) -> None:
    points = load_points(tracking_uri)
    assert tuple(points.columns) == POINT_COLUMNS == (*COLUMNS, "run_id", "experiment_id", "config")
    assert points["path"].tolist() == ["t0/0.rfz", "t1/0.rfz", "t2/0.rfz", "t2/1.rfz"]
    expected: dict[str, Any] = {"sweep_id": NEW, "trial_id": "t1", "seed": 2, "size_bytes": 1000, "quality": 0.95}
    expected |= {"quality_val": 0.96, "quality_name": "accuracy", "maximise": True, "architecture": "mlp(hidden=[64])"}
    assert points.iloc[1][list(expected)].to_dict() == expected
    assert points["config"].tolist() == ["lam=0.3", "lam=0.3", "lam=0.123 point=0", "lam=0.123 point=1"]


def test_columns_have_their_types_even_when_there_are_no_rows(tracking_uri: str) -> None:
    points, none = load_points(tracking_uri, [NEW]), load_points(tracking_uri, [OTHER])
    assert none.empty
    assert none.dtypes.to_dict() == points.dtypes.to_dict()
    assert points.dtypes[["seed", "macs", "size_bytes"]].tolist() == ["int64"] * 3
    assert points.dtypes["maximise"] == "bool"
    assert points.dtypes["train_s"] == "float64"
    assert summarise(none).empty


@pytest.mark.parametrize(
    ("asked", "sweep_ids"), [([OLD], {OLD}), (["digits"], {NEW}), ([OLD, "digits", NEW], {OLD, NEW})]
)
def test_a_sweep_is_asked_for_by_id_or_its_newest_by_name(
    tracking_uri: str, asked: list[str], sweep_ids: set[str]
) -> None:
    points = load_points(tracking_uri, asked)
    assert set(points["sweep_id"]) == sweep_ids
    assert not points["run_id"].duplicated().any()


def test_an_unknown_sweep_is_refused_with_the_nearest(tracking_uri: str) -> None:
    with pytest.raises(ValueError, match=r"^no sweep 'digit'; did you mean 'digits'\?$"):
        load_points(tracking_uri, ["digit"])
    with pytest.raises(ValueError, match=rf"there are: {OTHER}, {NEW}, {OLD}$"):
        load_points(tracking_uri, ["?"])


def test_many_pages_are_read_as_one(tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_points(tracking_uri)
    monkeypatch.setattr("analysis.load._PAGE", 1)
    pd.testing.assert_frame_equal(load_points(tracking_uri), whole)


def test_sweeps_are_listed_newest_first_with_their_counts(tracking_uri: str) -> None:
    sweeps = list_sweeps(tracking_uri)
    assert tuple(sweeps.columns) == SWEEP_COLUMNS
    assert sweeps["sweep_id"].tolist() == [OTHER, NEW, OLD]
    assert sweeps["status"].tolist() == ["RUNNING", "RUNNING", "KILLED"]
    assert sweeps["experiment"].tolist() == ["mnist_small", "digits", "digits"]
    assert sweeps.iloc[1][["num_finished", "num_failed", "num_running", "num_points"]].tolist() == [2, 2, 1, 3]
    assert abs(pd.Timestamp.now("UTC") - sweeps["started"].iloc[0]) < pd.Timedelta("1h")


def test_reading_does_not_create_a_database(tmp_path: Path) -> None:
    for read in (load_points, list_sweeps):
        with pytest.raises(
            ValueError, match=r"no tracking database at sqlite:.*run a sweep first or pass --tracking-uri"
        ):
            read(f"sqlite:///{tmp_path}/absent.db")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "other.db").write_text("not a database, and long enough to be read as a header of one")
    with pytest.raises(ConnectionError, match="cannot read sqlite:") as error:
        load_points(f"sqlite:///{tmp_path}/other.db")
    assert "\n" not in str(error.value)


def test_an_unreachable_server_fails_within_seconds_and_names_no_password() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    before = time.monotonic()
    with pytest.raises(ConnectionError, match=f"no MLflow server answers at http://127.0.0.1:{port}/: ") as error:
        load_points(f"http://me:secret@127.0.0.1:{port}/")
    assert time.monotonic() - before < 10
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_point_without_its_measurements_names_the_run(tracking_uri: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    source, copy = sqlite3.connect(tracking_uri.removeprefix("sqlite:///")), sqlite3.connect(path)
    source.backup(copy)
    copy.execute("DELETE FROM latest_metrics WHERE key = 'macs'")
    copy.commit()
    source.close()
    copy.close()
    with pytest.raises(ValueError, match=re.compile(r"run [0-9a-f]{32} is marked as a point but has no 'macs'")):
        load_points(f"sqlite:///{path}")
