"""Reading a real MLflow database."""

from __future__ import annotations

import re
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.configurations.summary import summarise
from analysis.points.mlflow import POINT_COLUMNS, SWEEP_COLUMNS, check_tracking, list_sweeps, load_points
from orchestrator.tracking.names import metrics_of
from tests.analysis.points.store import Writer
from tests.points import point
from trainers.record import COLUMNS, ODD_COLUMNS

OLD, NEW, OTHER = "digits-00000001", "digits-00000002-2", "mnist_small-00000003"


@pytest.fixture(autouse=True, params=["sql", "mlflow"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read each store both ways: where no version of the tables is known, MLflow reads."""
    if request.param == "mlflow":
        monkeypatch.setattr("analysis.points.tracking_database.KNOWN_VERSIONS", frozenset())


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> str:
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("tracking")
    (folder / "mlflow.db").write_bytes(empty_store)
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    digits, mnist = (client.create_experiment(name, f"{folder}/artifacts") for name in ("digits", "mnist_small"))
    old = Writer(client, digits, OLD, directory="/sweeps/old", instance="1")
    old.trial("t0", 1, **{"method.lam": "0.3"})
    client.set_terminated(old.parent, "KILLED")
    new = Writer(client, digits, NEW)
    new.trial("t1", 1, **{"method.lam": "0.3", "seed": "2"})
    new.trial("t2", 2, **{"method.lam": "0.1234567"})
    new.trial("t3", 0, status="FAILED", seed="3")
    new.trial("t4", 1, status="KILLED", seed="4")
    new.run("trial", {"ratefront.trial_id": "t5"})
    Writer(client, mnist, OTHER)
    client.create_run(mnist, tags={"mlflow.note": "somebody else's"})
    return uri


def test_finished_points_become_rows_with_the_columns_of_a_record(tracking_uri: str) -> None:
    points = load_points(tracking_uri)
    added = ("run_id", "experiment_id", "config", "label", "params", "num_failed", "directory")
    assert tuple(points.columns) == POINT_COLUMNS == (*COLUMNS, *ODD_COLUMNS, *added)
    assert not points["is_constant"].any(), "older runs have no such tag"
    assert (points["zero_weights"] == "").all()
    assert points["path"].tolist() == ["t0/0.rfz", "t1/0.rfz", "t2/0.rfz", "t2/1.rfz"]
    expected: dict[str, Any] = {"sweep_id": NEW, "trial_id": "t1", "seed": 2, "size_bytes": 1000, "quality": 0.95}
    expected |= {"quality_val": 0.96, "quality_name": "accuracy", "maximise": True, "architecture": "mlp(hidden=[64])"}
    assert points.iloc[1][list(expected)].to_dict() == expected
    assert points["config"].tolist() == [f"lam={lam} steps=9" for lam in ("0.3", "0.3", "0.1234567", "0.1234567")]
    two_sweeps = [f"lam=0.3 sweep={OLD}", f"lam=0.3 sweep={NEW}"]
    assert points["label"].tolist() == [*two_sweeps, "lam=0.123 point=0", "lam=0.123 point=1"]


def test_what_is_odd_about_a_file_is_read_from_its_tags(workplace: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{workplace}/mlflow.db"
    client = MlflowClient(uri)
    writer = Writer(client, client.create_experiment("digits", f"{workplace}/artifacts"), NEW)
    for trial_id, odd in (("t1", {"zero_weights": "1.weight", "is_constant": "true"}), ("t2", {})):
        run_id = writer.trial(trial_id, 1, config_hash=trial_id)
        for name, text in odd.items():
            client.set_tag(run_id, f"ratefront.{name}", text)
    points = load_points(uri)
    assert points["zero_weights"].tolist() == ["1.weight", ""]
    assert points["is_constant"].tolist() == [True, False]


def test_how_near_a_point_is_to_the_given_network_is_read_whatever_the_task_calls_its_quality(workplace: Path) -> None:
    """A task's own quality may be called ``kl``, and most points have no distance."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{workplace}/mlflow.db"
    client = MlflowClient(uri)
    writer = Writer(client, client.create_experiment("digits", f"{workplace}/artifacts"), NEW)
    near = point(quality_name="kl", quality=0.5, quality_val=0.25, kl=0.0, agreement=0.75)
    for trial_id, measured in (("t1", metrics_of(near)), ("t2", {}), ("t3", {"fidelity_output_error": 1e-3})):
        run_id = writer.trial(trial_id, 1, config_hash=trial_id, measured=measured)
        if measured.get("kl"):
            client.set_tag(run_id, "ratefront.quality_name", "kl")
    points = load_points(uri)
    assert points.iloc[0][["quality_name", "quality", "quality_val", "kl", "agreement"]].tolist() == [
        *("kl", 0.5, 0.25, 0.0, 0.75)
    ]
    assert points["kl"].isna().tolist() == points["agreement"].isna().tolist() == [False, True, True]
    assert points["output_error"].fillna(-1).tolist() == [-1, -1, 1e-3]


def test_a_trial_that_failed_counts_against_the_points_that_it_had_not_stored(workplace: Path) -> None:
    """A path stores points on its way."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{workplace}/mlflow.db"
    client = MlflowClient(uri)
    writer = Writer(client, client.create_experiment("digits", f"{workplace}/artifacts"), NEW)
    writer.trial("t0", 3, seed="0")
    failed = writer.trial("t1", 2, seed="1")
    client.set_terminated(failed, "FAILED")
    points = load_points(uri)
    assert points["point_id"].tolist() == ["0", "1", "2", "0", "1"]
    assert points["num_failed"].tolist() == [0, 0, 1, 0, 0]


def test_failed_trials_count_against_their_configuration_in_their_sweep(tracking_uri: str) -> None:
    points = load_points(tracking_uri)
    assert points["num_failed"].tolist() == [0, 1, 1, 1]
    assert load_points(tracking_uri, [OLD])["num_failed"].tolist() == [0]
    assert not summarise(load_points(tracking_uri, [NEW]))["on_front"].any()


def test_a_point_lies_in_the_directory_of_its_sweep(tracking_uri: str) -> None:
    assert load_points(tracking_uri)["directory"].tolist() == ["/sweeps/old", "", "", ""]


def test_two_runs_of_one_point_are_refused_and_the_newer_named(workplace: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{workplace}/mlflow.db"
    client = MlflowClient(uri)
    sweep = Writer(client, client.create_experiment("digits", f"{workplace}/artifacts"), NEW)
    first, second = (sweep.trial(trial_id, 1) for trial_id in ("t1", "t1"))
    sweep.trial("t2", 1, seed="2")
    with pytest.raises(
        ValueError, match=f"^MLflow runs {first} and {second} both hold seed 1 of configuration"
    ) as error:
        load_points(uri)
    assert str(error.value).endswith(f"mlflow runs delete --run-id {second}")
    assert "\n" not in str(error.value)
    client.delete_run(second)
    assert summarise(load_points(uri))["num_seeds"].tolist() == [2]


def test_columns_have_their_types_even_when_there_are_no_rows(tracking_uri: str) -> None:
    points, none = load_points(tracking_uri, [NEW]), load_points(tracking_uri, [OTHER])
    assert none.empty
    assert none.dtypes.to_dict() == points.dtypes.to_dict()
    assert points.dtypes[["seed", "macs", "size_bytes", "num_failed"]].tolist() == ["int64"] * 4
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
    with pytest.raises(ValueError, match=rf"valid: mnist_small, digits, {OTHER}, {NEW}, {OLD}$"):
        load_points(tracking_uri, ["?"])


def test_many_pages_are_read_as_one(tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_points(tracking_uri)
    monkeypatch.setattr("analysis.points.mlflow._PAGE", 1)
    pd.testing.assert_frame_equal(load_points(tracking_uri), whole)


def test_sweeps_are_listed_newest_first_with_their_counts(tracking_uri: str) -> None:
    sweeps = list_sweeps(tracking_uri)
    assert tuple(sweeps.columns) == SWEEP_COLUMNS
    assert sweeps["sweep_id"].tolist() == [OTHER, NEW, OLD]
    assert sweeps["status"].tolist() == ["RUNNING", "RUNNING", "KILLED"]
    assert sweeps["experiment"].tolist() == ["mnist_small", "digits", "digits"]
    assert sweeps.iloc[1][["num_finished", "num_stopped", "num_failed", "num_running", "num_points"]].tolist() == [
        2,
        1,
        1,
        1,
        3,
    ]
    assert abs(pd.Timestamp.now("UTC") - sweeps["started"].iloc[0]) < pd.Timedelta("1h")


def test_sweeps_are_listed_by_name_alone(tracking_uri: str) -> None:
    whole = list_sweeps(tracking_uri)
    pd.testing.assert_frame_equal(list_sweeps(tracking_uri, ["digits"]), whole.iloc[[1]].reset_index(drop=True))
    both = list_sweeps(tracking_uri, [OLD, "mnist_small"])
    pd.testing.assert_frame_equal(both, whole.iloc[[0, 2]].reset_index(drop=True))
    with pytest.raises(ValueError, match="no sweep 'digit'; did you mean 'digits'"):
        list_sweeps(tracking_uri, ["digit"])


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


@pytest.mark.parametrize("address", ["./mlruns", "mlflow.db", "file:///tmp/mlruns"])
@pytest.mark.parametrize("use", [load_points, check_tracking])
def test_a_file_store_is_refused_with_what_to_use(use: Callable[[str], object], address: str) -> None:
    with pytest.raises(ValueError, match=r"MLflow 3 has no file store: use sqlite:///mlflow\.db") as error:
        use(address)
    assert "\n" not in str(error.value)


def test_checking_creates_nothing_and_accepts_what_a_sweep_can_create(tmp_path: Path, tracking_uri: str) -> None:
    check_tracking(f"sqlite:///{tmp_path}/not/there/mlflow.db")
    assert not list(tmp_path.iterdir())
    check_tracking(tracking_uri)


def test_checking_finds_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a database, and long enough to be read as a header of one")
    for path, error, message in [
        ("file/mlflow.db", ValueError, "file is no folder that can be written to"),
        ("", ValueError, "is no file that can be written to"),
        ("file", ConnectionError, "cannot read sqlite:"),
    ]:
        with pytest.raises(error, match=message) as caught:
            check_tracking(f"sqlite:///{tmp_path / path}")
        assert "\n" not in str(caught.value)


def test_an_unknown_kind_of_address_is_one_line_without_the_password() -> None:
    with pytest.raises(ValueError, match="no MLflow is at ftp://host/x, since 'ftp' is no kind") as error:
        check_tracking("ftp://me:secret@host/x")
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
