"""A sweep's end and identity, without Ray: what is on disk reaches MLflow once, wherever it was cut short."""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.running.place import Place
from orchestrator.running.run import run_sweep
from orchestrator.search.goals import Goals
from orchestrator.search.space import identity
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.resources import TrialResources
from orchestrator.tracking.store import Store
from orchestrator.tracking.tracker import Tracker
from orchestrator.tracking.warm_start import earlier_outcomes
from orchestrator.trial import Request, Setting, execute
from orchestrator.views.log import JsonLinesView

SWEEP = Sweep.from_dict(
    {
        "name": "small",
        "task": "digits",
        "architecture": {"name": "mlp", "hidden": [4]},
        "method": [{"name": "epr", "lam": 0.5}, "uncompressed"],
        "steps": 17,
    }
)


@pytest.fixture
def place(tmp_path: Path, empty_store: bytes) -> Place:
    (tmp_path / "mlflow.db").write_bytes(empty_store)
    return Place(
        storage=str(tmp_path / "sweeps"), tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", import_path=tmp_path
    )


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated database, made once: MLflow takes seconds for it."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path.read_bytes()


def train_all(place: Place) -> Journal:
    """What workers leave when everything after them was killed."""
    journal = Journal(LocalFolder(Path(place.storage) / SWEEP.sweep_id))
    journal.begin_sweep(SWEEP.to_yaml())
    for trial in plan(SWEEP):
        setting = Setting(sweep_id=SWEEP.sweep_id, location=journal.location, import_path=str(place.import_path))
        request = Request(
            setting=setting, trial_id=trial.trial_id, config=trial.config.to_dict(), resources=TrialResources()
        )
        execute(request, report=lambda progress: None, track=lambda trial_id: None)
    return journal


def tracker_of(place: Place, journal: Journal) -> Tracker:
    Store(tracking_uri=place.tracking_uri).prepare("small")
    return Tracker(journal, tracking_uri=place.tracking_uri, sweep_id=SWEEP.sweep_id, name="small")


def runs_of(place: Place) -> list[Any]:
    client = MlflowClient(place.tracking_uri)
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def again(place: Place, **options: bool) -> Any:
    return run_sweep(SWEEP, place, JsonLinesView(io.StringIO()), **options)


def test_a_sweep_killed_before_its_end_is_published_by_the_next_call(place: Place) -> None:
    train_all(place)
    result = again(place)
    assert (result.num_finished, result.num_failed, result.interrupted) == (2, 0, False)
    kinds = Counter((run.data.tags["ratefront.kind"], run.info.status) for run in runs_of(place))
    assert kinds == {("sweep", "FINISHED"): 1, ("trial", "FINISHED"): 2}
    assert any(run.data.tags.get("ratefront.pareto") == "true" for run in runs_of(place))
    assert result.frontier is not None


def test_calling_again_changes_nothing(place: Place) -> None:
    train_all(place)
    again(place)
    before = {run.info.run_id: (run.data.metrics, run.data.params) for run in runs_of(place)}
    again(place)
    assert {run.info.run_id: (run.data.metrics, run.data.params) for run in runs_of(place)} == before


def test_an_empty_store_is_filled_from_the_journal(place: Place, empty_store: bytes) -> None:
    journal = train_all(place)
    again(place)
    Path(place.tracking_uri.removeprefix("sqlite:///")).write_bytes(empty_store)
    again(place)
    points = [run for run in runs_of(place) if run.data.tags.get("ratefront.point") == "true"]
    records = [journal.ended(trial_id) for trial_id in journal.trial_ids()]
    sizes = sorted(point.size_bytes for ended in records if ended for point in ended.points)
    assert sorted(run.data.metrics["size_bytes"] for run in points) == sizes


def test_a_later_search_can_hear_what_a_sweep_measured(place: Place) -> None:
    """Configurations come back from MLflow's texts as they were."""
    train_all(place)
    again(place)
    outcomes = earlier_outcomes(place.tracking_uri, ["small"], Goals())
    wanted = [{key: item for key, item in trial.config.to_dict().items() if key != "seed"} for trial in plan(SWEEP)]
    assert sorted(map(identity, wanted)) == sorted(identity(configuration) for configuration, _ in outcomes)
    assert all(1 < told.costs[0] < 4 and -1 <= told.costs[1] < 0 for _, told in outcomes)
    assert all(SWEEP.space.locate(configuration) is not None for configuration, _ in outcomes)


def test_a_sweep_of_the_same_content_from_elsewhere_is_not_mixed_in(place: Place, tmp_path: Path) -> None:
    train_all(place)
    again(place)
    elsewhere = dataclasses.replace(place, storage=str(tmp_path / "elsewhere"))
    with pytest.raises(SweepError, match=f"MLflow already has a sweep {SWEEP.sweep_id} that is not the one in"):
        again(elsewhere)


def test_a_trial_of_another_configuration_is_not_taken_for_the_planned_one(place: Place) -> None:
    journal = train_all(place)
    (first, *_) = journal.trial_ids()
    config = journal.config(first)
    assert config is not None
    journal.begin(first, {**config, "steps": 18}, {})
    with pytest.raises(SweepError, match=f"trial {first} in .* has another configuration than planned"):
        again(place)


def test_an_unfinished_sweep_asks_what_is_meant(place: Place) -> None:
    journal = train_all(place)
    (journal.trial_directory("0001-uncompressed-s0") / "ended.json").unlink()
    with pytest.raises(SweepError, match=r"is unfinished \(1 of 2 trials\): --resume goes on with it, --new starts"):
        again(place)


def test_a_trial_that_yields_several_points_has_a_run_below_it_for_each(place: Place) -> None:
    journal = train_all(place)
    ended = journal.ended("0000-epr-s0")
    assert ended is not None
    (point,) = ended.points
    folder = journal.trial_directory("0000-epr-s0")
    for suffix in (".rfz", ".sections.csv"):
        (folder / f"other{suffix}").write_bytes((folder / f"point{suffix}").read_bytes())
    other = dataclasses.replace(point, point_id="other", path="trials/0000-epr-s0/other.rfz")
    journal.record("0000-epr-s0", dataclasses.replace(ended, points=(point, other)))
    again(place)
    runs = runs_of(place)
    (trial,) = (
        run
        for run in runs
        if run.data.tags.get("ratefront.trial_id") == "0000-epr-s0" and run.data.tags["ratefront.kind"] == "trial"
    )
    points = [run for run in runs if run.data.tags["ratefront.kind"] == "point"]
    assert "ratefront.point" not in trial.data.tags
    assert {run.data.tags["ratefront.point_id"] for run in points} == {"point", "other"}
    assert {run.data.tags["mlflow.parentRunId"] for run in points} == {trial.info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    again(place)
    assert len(runs_of(place)) == len(runs)


def test_a_trial_that_fails_again_is_logged_again_and_one_that_recovers_is_no_failure(place: Place) -> None:
    journal = train_all(place)
    finished = journal.ended("0000-epr-s0")
    assert finished is not None
    for reason in ("first", "second"):
        journal.fail("0000-epr-s0", reason)
        tracker_of(place, journal).sync_all()
        (failed,) = (run for run in runs_of(place) if run.info.status == "FAILED")
        assert failed.data.tags["ratefront.failure"] == reason
    journal.record("0000-epr-s0", finished)
    tracker = tracker_of(place, journal)
    tracker.sync_all()
    tracker.close(interrupted=False)
    runs = runs_of(place)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert not any("ratefront.failure" in run.data.tags for run in runs)


def test_a_run_without_its_parameters_gets_them_with_its_point(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = train_all(place)
    tracker = tracker_of(place, journal)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_batch", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            tracker.sync("0000-epr-s0")
    tracker_of(place, journal).sync_all()
    trials = [run for run in runs_of(place) if run.data.tags["ratefront.kind"] == "trial"]
    assert len(trials) == 2  # the run of the first attempt was found again
    assert all(run.data.params["method"] for run in trials)
