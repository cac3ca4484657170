"""A sweep's runs are made once and found again, by whoever asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mlflow import MlflowClient

from orchestrator.running.place import Place
from orchestrator.tracking.runs import SweepRuns, without_tag


@pytest.fixture
def open_runs(place: Place) -> Callable[..., SweepRuns]:
    """The runs of a sweep as a process finds them; further sweeps share its experiment."""
    place.store.prepare("small")
    client = MlflowClient(place.tracking_uri)
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None

    def found(sweep_id: str = "s-1", instance: str = "a") -> SweepRuns:
        runs = SweepRuns(client, experiment, sweep_id=sweep_id, instance=instance)
        runs.find()
        return runs

    return found


def test_runs_lie_below_one_another_and_are_found_again(open_runs: Callable[..., SweepRuns], place: Place) -> None:
    runs = open_runs()
    assert runs.parent_id == ""
    runs.make_parent("s-1", {"own": "tag"})
    trial = runs.make_trial("t0", "first", {})
    point = runs.make_point("t0", "p", "point of it", {"ratefront.point_id": "p"})
    client = MlflowClient(place.tracking_uri)
    for run, parent, kind in ((trial, runs.parent_id, "trial"), (point, trial.run_id, "point")):
        tags = client.get_run(run.run_id).data.tags
        assert tags["mlflow.parentRunId"] == parent
        assert tags["ratefront.kind"] == kind
        assert (tags["ratefront.trial_id"], tags["ratefront.sweep_id"]) == ("t0", "s-1")

    again = open_runs()
    assert again.parent_id == runs.parent_id
    for point_id, known in (("", trial), ("p", point)):
        found = again.get("t0", point_id)
        assert found is not None
        assert (found.run_id, found.artifact_uri) == (known.run_id, known.artifact_uri)
    assert again.get("t1") is None
    assert again.get("t0", "q") is None


def test_of_two_twins_the_one_that_is_finished_and_filled_stays(
    open_runs: Callable[..., SweepRuns], place: Place
) -> None:
    """The reply to the first request was lost; the run of the second is the one that was filled."""
    runs, client = open_runs(), MlflowClient(place.tracking_uri)
    runs.make_parent("s-1", {})
    for trial_id in ("first", "second"):
        twins = [runs.make_trial(trial_id, trial_id, {"ratefront.record": "0123"}) for _ in range(2)]
        filled = twins[0 if trial_id == "first" else 1]
        client.log_metric(filled.run_id, "size_bytes", 7.0)
        for twin in twins:
            client.set_terminated(twin.run_id, "FINISHED" if twin is filled else "KILLED")
        found = open_runs().get(trial_id)
        assert found is not None
        assert (found.run_id, found.metrics, found.status) == (filled.run_id, {"size_bytes": 7.0}, "FINISHED")
    assert len(runs.search()) == 3


def test_of_two_twins_the_one_that_others_lie_below_stays(open_runs: Callable[..., SweepRuns], place: Place) -> None:
    runs, client = open_runs(), MlflowClient(place.tracking_uri)
    for _ in range(2):
        runs.make_parent("s-1", {})
    parent_id = runs.parent_id
    for _ in range(2):
        trial = runs.make_trial("t0", "first", {})
    point = runs.make_point("t0", "p", "point of it", {"ratefront.point_id": "p"})
    again = open_runs()
    assert again.parent_id == parent_id
    found = again.get("t0")
    assert found is not None
    assert found.run_id == trial.run_id
    assert client.get_run(point.run_id).data.tags["mlflow.parentRunId"] == trial.run_id
    assert len(again.search()) == 3


def test_a_run_below_a_twin_that_goes_is_moved_below_the_other(
    open_runs: Callable[..., SweepRuns], place: Place
) -> None:
    runs, client = open_runs(), MlflowClient(place.tracking_uri)
    runs.make_parent("s-1", {})
    first = runs.parent_id
    runs.make_trial("t0", "first", {})
    runs.make_parent("s-1", {})
    for trial_id in ("t1", "t2"):
        runs.make_trial(trial_id, trial_id, {})
    again = open_runs()
    assert again.parent_id == runs.parent_id != first
    parents = {run.data.tags.get("mlflow.parentRunId") for run in again.search("tags.`ratefront.kind` = 'trial'")}
    assert parents == {runs.parent_id}
    assert client.get_run(first).info.lifecycle_stage == "deleted"


def test_a_tag_that_is_not_there_is_deleted_without_an_error(open_runs: Callable[..., SweepRuns], place: Place) -> None:
    runs, client = open_runs(), MlflowClient(place.tracking_uri)
    runs.make_parent("s-1", {"own": "tag"})
    for _ in range(2):
        without_tag(client, runs.parent_id, "own")
    assert "own" not in client.get_run(runs.parent_id).data.tags


@pytest.mark.parametrize(("sweep_id", "instance"), [("s-1", "b"), ("s-2", "a")])
def test_runs_of_other_sweeps_are_not_found(sweep_id: str, instance: str, open_runs: Callable[..., SweepRuns]) -> None:
    runs = open_runs()
    runs.make_parent("s-1", {})
    runs.make_trial("t0", "first", {})
    other = open_runs(sweep_id, instance)
    assert (other.parent_id, other.get("t0"), other.search()) == ("", None, [])


def test_a_run_that_was_made_twice_is_there_once(open_runs: Callable[..., SweepRuns]) -> None:
    """As when the answer to a request was lost, and the request was sent again."""
    runs = open_runs()
    for _ in range(2):
        runs.make_parent("s-1", {})
    first = runs.make_trial("t0", "first", {})
    runs.make_trial("t0", "first", {})
    again = open_runs()
    assert len(again.search()) == 2
    found = again.get("t0")
    assert found is not None
    assert found.run_id == first.run_id, "the older one stays: it may be filled"


def test_what_is_written_to_a_run_is_known_of_it(open_runs: Callable[..., SweepRuns], place: Place) -> None:
    runs = open_runs()
    runs.make_parent("s-1", {})
    client = MlflowClient(place.tracking_uri)
    for trial_id in ("new", "open", "closed"):
        runs.make_trial(trial_id, trial_id, {})
    for trial_id in ("open", "closed"):
        made = runs.get(trial_id)
        assert made is not None
        client.log_param(made.run_id, "method", "epr")
        client.set_tag(made.run_id, "ratefront.failure", "why")
        client.set_tag(made.run_id, "ratefront.record", "0123")
        if trial_id == "closed":
            client.set_terminated(made.run_id, "FAILED")
    known = {}
    for trial_id in ("new", "open", "closed"):
        found = open_runs().get(trial_id)
        assert found is not None
        known[trial_id] = (found.has_params, found.has_failure, found.was_closed, found.record)
        assert found.last_step is None, "MLflow is asked where it is needed"
    assert known == {
        "new": (False, False, False, ""),
        "open": (True, True, False, ""),  # it was not closed, so the record may not be there in full
        "closed": (True, True, True, "0123"),
    }


def test_a_search_is_for_runs_of_the_sweep_that_meet_a_condition(open_runs: Callable[..., SweepRuns]) -> None:
    runs, other = open_runs(), open_runs("s-2")
    for one in (runs, other):
        one.make_parent("parent", {})
        one.make_trial("t0", "first", {"ratefront.point": "true"})
        one.make_trial("t1", "second", {})
    assert [run.info.run_name for run in runs.search()] == ["parent", "first", "second"]
    (found,) = runs.search("tags.`ratefront.point` = 'true'")
    assert found.info.run_name == "first"
