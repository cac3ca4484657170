"""MLflow comes to hold what the journal holds, once, whatever happened before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.running.place import Place
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.tracking.tracker import Tracker
from tests.orchestrator.trained import EPR, PLAIN, SWEEP, runs_of

pytestmark = pytest.mark.usefixtures("written")


def tracker_of(place: Place, journal: Journal) -> Tracker:
    place.store.prepare("small")
    return Tracker(journal, tracking_uri=place.tracking_uri, sweep_id=SWEEP.sweep_id, name="small")


def run_of(place: Place, trial_id: str) -> Any:
    (run,) = (
        run
        for run in runs_of(place)
        if run.data.tags["ratefront.kind"] == "trial" and run.data.tags["ratefront.trial_id"] == trial_id
    )
    return run


def test_a_trials_run_says_what_its_record_says(place: Place, trained: Journal) -> None:
    tracker = tracker_of(place, trained)
    tracker.sync_all()
    ended, client = trained.ended(EPR), MlflowClient(place.tracking_uri)
    assert ended is not None
    (point,) = ended.points
    run = run_of(place, EPR)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"{EPR} mlp(hidden=[4])"
    assert run.data.tags["mlflow.parentRunId"] == tracker.run_id
    assert run.data.tags["ratefront.sha256"] == point.sha256
    assert (run.data.params["method"], run.data.params["method.lam"]) == ("epr", "0.5")
    assert run.data.metrics["size_bytes"] == point.size_bytes
    assert run.data.metrics["accuracy_val"] == point.quality_val
    history = client.get_metric_history(run.info.run_id, "epoch_train_loss")
    assert [metric.step for metric in history] == [row["step"] for row in trained.progress(EPR)]
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == {"point.rfz", "sections.csv"}
    assert tracker.behind() == []


def test_the_sweeps_own_run_says_where_it_is_and_what_made_it(place: Place, trained: Journal) -> None:
    tracker = tracker_of(place, trained)
    client = MlflowClient(place.tracking_uri)
    parent = client.get_run(tracker.run_id)
    assert (parent.info.run_name, parent.info.status) == (SWEEP.sweep_id, "RUNNING")
    assert parent.data.tags["ratefront.directory"] == trained.location
    assert parent.data.tags["ratefront.instance"] == trained.instance
    assert "ratefront.version.torch" in parent.data.tags
    sweep_file = client.download_artifacts(tracker.run_id, "sweep.yaml")
    assert Path(sweep_file).read_text() == SWEEP.to_yaml()


def test_reports_are_logged_once_while_a_trial_runs(place: Place, trained: Journal) -> None:
    record = (trained.trial_directory(EPR) / "ended.json").read_bytes()
    (trained.trial_directory(EPR) / "ended.json").unlink()
    *_, row = trained.progress(EPR)
    first = [earlier["step"] for earlier in trained.progress(EPR)]
    tracker, client = tracker_of(place, trained), MlflowClient(place.tracking_uri)

    def steps() -> list[int]:
        return [one.step for one in client.get_metric_history(run_of(place, EPR).info.run_id, "epoch_train_loss")]

    tracker.sync(EPR)
    assert (steps(), run_of(place, EPR).info.status) == (first, "RUNNING")
    trained.append_progress(EPR, {**row, "step": 34})
    tracker.sync(EPR)
    tracker.sync(EPR)
    assert steps() == [*first, 34]
    trained.append_progress(EPR, {**row, "step": 51})
    tracker_of(place, trained).sync(EPR)
    assert steps() == [*first, 34, 51], "another process finds out what there is"
    (trained.trial_directory(EPR) / "ended.json").write_bytes(record)
    assert tracker.behind() == [EPR, PLAIN]
    tracker.sync(EPR)
    assert run_of(place, EPR).info.status == "FINISHED"
    assert tracker.behind() == [PLAIN]


def test_a_stopped_trial_is_killed_and_says_why(place: Place, trained: Journal) -> None:
    trained.stop(EPR, "it was last")
    tracker_of(place, trained).sync(EPR)
    run = run_of(place, EPR)
    assert (run.info.status, run.data.tags["ratefront.stopped"]) == ("KILLED", "it was last")
    assert "ratefront.point" not in run.data.tags


def test_a_trial_that_yields_several_points_has_a_run_below_it_for_each(place: Place, trained: Journal) -> None:
    ended = trained.ended(EPR)
    assert ended is not None
    (point,) = ended.points
    folder = trained.trial_directory(EPR)
    for suffix in (".rfz", ".sections.csv"):
        (folder / f"other{suffix}").write_bytes((folder / f"point{suffix}").read_bytes())
    other = dataclasses.replace(point, point_id="other", path=f"trials/{EPR}/other.rfz")
    trained.record(EPR, dataclasses.replace(ended, points=(point, other)))
    tracker = tracker_of(place, trained)
    tracker.sync_all()
    tracker.close(interrupted=False)
    runs = runs_of(place)
    trial = run_of(place, EPR)
    points = [run for run in runs if run.data.tags["ratefront.kind"] == "point"]
    assert "ratefront.point" not in trial.data.tags
    assert {run.data.tags["ratefront.point_id"] for run in points} == {"point", "other"}
    assert {run.data.tags["mlflow.parentRunId"] for run in points} == {trial.info.run_id}
    assert {run.info.run_name for run in points} == {f"{EPR}/{one} mlp(hidden=[4])" for one in ("point", "other")}
    assert {run.info.status for run in runs} == {"FINISHED"}
    tracker_of(place, trained).sync_all()
    assert len(runs_of(place)) == len(runs)


def test_early_points_have_runs_while_their_trial_runs_and_after_it_was_stopped(place: Place, trained: Journal) -> None:
    ended = trained.ended(EPR)
    assert ended is not None
    (trained.trial_directory(EPR) / "ended.json").unlink()
    trained.keep_points(EPR, ended.points)
    tracker = tracker_of(place, trained)
    for _ in range(2):
        tracker.sync(EPR)
        (own,) = (run for run in runs_of(place) if run.data.tags.get("ratefront.point") == "true")
        assert (own.info.status, own.data.tags["ratefront.kind"]) == ("FINISHED", "point")
        assert own.data.metrics["size_bytes"] == ended.points[0].size_bytes
        assert run_of(place, EPR).info.status == "RUNNING"
    trained.stop(EPR, "no promise")
    tracker.sync_all()
    assert run_of(place, EPR).info.status == "KILLED"
    assert [
        one
        for one in runs_of(place)
        if one.data.tags.get("ratefront.trial_id") == EPR
        and (one.data.tags.get("ratefront.point") == "true" and one.info.run_id == own.info.run_id)
    ]
    assert EPR not in tracker.behind()


def test_a_trial_that_fails_again_is_logged_again_and_one_that_recovers_is_no_failure(
    place: Place, trained: Journal
) -> None:
    finished = trained.ended(EPR)
    assert finished is not None
    for reason in ("first", "second"):
        trained.fail(EPR, reason, details="Traceback")
        tracker_of(place, trained).sync_all()
        (failed,) = (run for run in runs_of(place) if run.info.status == "FAILED")
        assert failed.data.tags["ratefront.failure"] == reason
    details = MlflowClient(place.tracking_uri).download_artifacts(failed.info.run_id, "failure.txt")
    assert Path(details).read_text() == "Traceback"
    trained.record(EPR, finished)
    tracker = tracker_of(place, trained)
    tracker.sync_all()
    tracker.close(interrupted=False)
    runs = runs_of(place)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert not any("ratefront.failure" in run.data.tags for run in runs)


@pytest.mark.parametrize("written", ["client"], indirect=True)
def test_a_run_without_its_parameters_gets_them_with_its_point(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = tracker_of(place, trained)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_batch", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            tracker.sync(EPR)
    tracker_of(place, trained).sync_all()
    trials = [run for run in runs_of(place) if run.data.tags["ratefront.kind"] == "trial"]
    assert len(trials) == 2  # the run of the first attempt was found again
    assert all(run.data.params["method"] for run in trials)


@pytest.mark.parametrize("written", ["client"], indirect=True)
def test_a_request_whose_answer_was_lost_is_found_by_the_next_call(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = tracker_of(place, trained)
    create_run = MlflowClient.create_run

    def lose_the_answer(*given: Any, **named: Any) -> None:
        create_run(*given, **named)
        raise ConnectionError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "create_run", lose_the_answer)
        with pytest.raises(ConnectionError, match="gone"):
            tracker.sync(EPR)
    tracker.sync_all()
    assert len(runs_of(place)) == 3
    assert run_of(place, EPR).info.status == "FINISHED"


def test_many_metrics_go_in_several_requests_and_tags_come_last(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between two requests must not leave a run that seems whole."""
    record = (trained.trial_directory(EPR) / "ended.json").read_bytes()
    (trained.trial_directory(EPR) / "ended.json").unlink()
    tracker = tracker_of(place, trained)
    tracker.sync(EPR)
    *_, row = trained.progress(EPR)
    for step in range(18, 600):
        trained.append_progress(EPR, {**row, "step": step})
    (trained.trial_directory(EPR) / "ended.json").write_bytes(record)
    sent: list[tuple[int, int, bool]] = []
    log_batch = MlflowClient.log_batch

    def note(client: MlflowClient, run_id: str, *, metrics: Any, params: Any, tags: Any) -> None:
        sent.append((len(metrics), len(params), any(tag.key == "ratefront.record" for tag in tags)))
        log_batch(client, run_id, metrics=metrics, params=params, tags=tags)

    monkeypatch.setattr(MlflowClient, "log_batch", note)
    tracker.sync(EPR)
    assert [num_metrics for num_metrics, _, _ in sent] == [800, 800, 582 * 4 + 11 - 1600]
    assert [num_params > 0 for _, num_params, _ in sent] == [True, False, False]
    assert [has_record for _, _, has_record in sent] == [False, False, True]


def test_a_run_that_lacks_what_its_tag_promises_is_filled_again(place: Place, trained: Journal) -> None:
    """As an empty twin is left that was closed, while the run that was filled was deleted."""
    tracker = tracker_of(place, trained)
    tracker.sync_all()
    client, whole = MlflowClient(place.tracking_uri), run_of(place, EPR)
    client.delete_run(whole.info.run_id)
    empty = client.create_run(whole.info.experiment_id, tags=whole.data.tags)
    client.set_terminated(empty.info.run_id, "FINISHED")
    later = tracker_of(place, trained)
    assert later.behind() == [EPR]
    later.sync_all()
    again = run_of(place, EPR)
    assert (again.data.metrics, again.data.params) == (whole.data.metrics, whole.data.params)
    assert again.info.status == "FINISHED"
    assert later.behind() == []


def test_a_file_that_is_missing_or_changed_costs_its_trial_alone(place: Place, trained: Journal) -> None:
    file = trained.trial_directory(EPR) / "point.rfz"
    whole = file.read_bytes()
    for content, why in ((None, "is not there"), (whole[:-1] + bytes([whole[-1] ^ 1]), "has changed: its sha256 is")):
        file.unlink() if content is None else file.write_bytes(content)
        tracker = tracker_of(place, trained)
        tracker.sync_all()
        assert list(tracker.unlogged) == [EPR]
        assert f"{file} {why}" in tracker.unlogged[EPR]
        assert f"; trial {EPR} is not in MLflow: remove its ended.json" in tracker.unlogged[EPR]
        assert run_of(place, PLAIN).info.status == "FINISHED"
        assert len(runs_of(place)) == 2, "there is no run of it"
    file.write_bytes(whole)
    tracker.sync_all()
    assert run_of(place, EPR).info.status == "FINISHED"


def test_a_table_of_bytes_that_is_missing_or_damaged_is_left_out(place: Place, trained: Journal) -> None:
    (trained.trial_directory(EPR) / "point.sections.csv").unlink()
    (trained.trial_directory(PLAIN) / "point.sections.csv").write_bytes(bytes(30))
    tracker = tracker_of(place, trained)
    tracker.sync_all()
    missing, damaged = tracker.left_out
    assert missing.endswith(f"it has moved, or lies on another machine; MLflow has trial {EPR} without it")
    assert "point.sections.csv is damaged: its rows do not add up to the" in damaged
    assert damaged.endswith(f"; MLflow has trial {PLAIN} without it")
    client = MlflowClient(place.tracking_uri)
    assert [item.path for item in client.list_artifacts(run_of(place, EPR).info.run_id)] == ["point.rfz"]
    assert tracker.behind() == []


def test_the_sweeps_own_run_says_where_a_moved_sweep_is_now(place: Place, trained: Journal, tmp_path: Path) -> None:
    tracker_of(place, trained).close(interrupted=False)
    moved = Path(trained.location).rename(tmp_path / "moved")
    tracker = tracker_of(place, Journal(LocalFolder(moved)))
    tags = MlflowClient(place.tracking_uri).get_run(tracker.run_id).data.tags
    assert tags["ratefront.directory"] == str(moved)


@pytest.mark.parametrize("written", ["client"], indirect=True)
def test_closing_leaves_no_run_open_and_what_was_not_filled_is_still_to_be(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = tracker_of(place, trained)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_batch", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            tracker.sync(EPR)
    assert "ratefront.record" in run_of(place, EPR).data.tags
    tracker.close(interrupted=True)
    assert {run.info.status for run in runs_of(place)} == {"KILLED"}
    assert "ratefront.record" not in run_of(place, EPR).data.tags
    later = tracker_of(place, trained)
    assert later.behind() == [EPR, PLAIN]
    later.sync_all()
    later.close(interrupted=False)
    assert {run.info.status for run in runs_of(place)} == {"FINISHED"}
