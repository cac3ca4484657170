"""The end of a sweep, whatever goes wrong at it."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path
from typing import Any

import pytest

from orchestrator.planning.session import Session
from orchestrator.running import publish
from orchestrator.running.place import Place
from orchestrator.running.publish import conclude
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from orchestrator.tracking.store import Store
from tests.orchestrator.trained import EPR, PLAIN, SWEEP, runs_of

quick = pytest.mark.usefixtures("without_report")


def session_of(place: Place, journal: Journal, **changes: Any) -> Session:
    place.store.prepare("small")
    return Session.open(Sweep.from_dict({**SWEEP.to_dict(), **changes}), SWEEP.sweep_id, journal)


def status_of_the_sweep(place: Place) -> str:
    (parent,) = (run for run in runs_of(place) if run.data.tags["ratefront.kind"] == "sweep")
    return str(parent.info.status)


def test_the_frontier_the_report_and_the_note_are_published(place: Place, trained: Journal) -> None:
    from mlflow import MlflowClient

    result = conclude(session_of(place, trained), place.store, is_cut_off=False)
    assert result.frontier is not None
    assert (result.unpublished, result.unreported, result.spent, result.num_finished) == ("", "", "", 2)
    (parent,) = (run for run in runs_of(place) if run.data.tags["ratefront.kind"] == "sweep")
    client = MlflowClient(place.tracking_uri)
    folders = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert {"sweep.yaml", "frontier", "report"} <= folders
    assert parent.data.tags["mlflow.note.content"].startswith("**")
    assert Path(result.directory, "frontier", "frontier.png").is_file()


@quick
def test_links_lead_into_a_ui_whose_address_is_known_and_else_a_command_opens_it(
    place: Place, trained: Journal
) -> None:
    session = session_of(place, trained)
    there = conclude(session, dataclasses.replace(place.store, ui_url="http://ui"), is_cut_off=False)
    assert there.pages["charts"].startswith("http://ui/#/experiments/")
    assert there.ui_command == ""
    nowhere = conclude(session, place.store, is_cut_off=False)
    assert nowhere.pages == {}
    assert nowhere.ui_command.startswith(f"ratefront ui {SWEEP.sweep_id}")


@quick
def test_what_a_budget_left_is_no_interruption(place: Place, trained: Journal) -> None:
    (trained.trial_directory(PLAIN) / "ended.json").unlink()
    result = conclude(session_of(place, trained, budget={"trials": 1}), place.store, is_cut_off=False)
    assert result.spent == "budget.trials is 1, and 1 are spent"
    assert not result.interrupted
    assert status_of_the_sweep(place) == "FINISHED"


@quick
def test_what_was_cut_off_is_an_interruption_though_the_budget_is_spent_as_well(place: Place, trained: Journal) -> None:
    (trained.trial_directory(PLAIN) / "ended.json").unlink()
    result = conclude(session_of(place, trained, budget={"trials": 1}), place.store, is_cut_off=True)
    assert (result.spent, result.interrupted) == ("", True)
    assert status_of_the_sweep(place) == "KILLED"


@quick
def test_a_sweep_without_a_point_has_no_frontier_and_is_closed(place: Place, trained: Journal) -> None:
    for trial_id in (EPR, PLAIN):
        trained.fail(trial_id, "it must")
    result = conclude(session_of(place, trained), place.store, is_cut_off=False)
    assert (result.frontier, result.num_failed, result.ui_command) == (None, 2, "")
    assert {run.info.status for run in runs_of(place)} == {"FAILED", "FINISHED"}


@quick
def test_a_server_that_went_away_is_said_and_stops_nothing(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(store: Store) -> None:
        raise ConnectionError("no MLflow server answers at http://host")

    session = session_of(place, trained)
    monkeypatch.setattr(Store, "check", away)
    result = conclude(session, place.store, is_cut_off=False)
    assert result.unpublished == "no MLflow server answers at http://host"
    assert (result.frontier, result.num_finished, result.exit_code) == (None, 2, 1)


@quick
def test_a_file_that_is_gone_costs_its_trial_and_is_said(place: Place, trained: Journal) -> None:
    (trained.trial_directory(EPR) / "point.rfz").unlink()
    result = conclude(session_of(place, trained), place.store, is_cut_off=False)
    assert (result.num_finished, result.num_unlogged, result.exit_code) == (2, 1, 1)
    assert [f"trial {EPR} is not in MLflow" in line for line in result.damage] == [True]
    assert result.frontier is not None
    assert list(result.frontier.points["trial_id"]) == [PLAIN]


@quick
def test_requests_that_are_lost_are_sent_again_and_no_traceback_is_left(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    session = session_of(place, trained)
    for num_lost in (2, 100):
        left = [num_lost]
        log_batch = MlflowClient.log_batch

        def losing(*given: Any, **named: Any) -> None:
            log_batch(*given, **named)  # noqa: B023  # it was carried out
            left[0] -= 1  # noqa: B023
            if left[0] >= 0:  # noqa: B023
                raise MlflowException("API request failed with exception: RemoteDisconnected")

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, "log_batch", losing)
            (trained.trial_directory(EPR) / "ended.json").touch()
            trained.record(EPR, dataclasses.replace(trained.ended(EPR), ended_at_s=float(num_lost)))  # type: ignore[type-var]
            result = conclude(session, place.store, is_cut_off=False)
        wanted = "" if num_lost == 2 else "API request failed with exception: RemoteDisconnected"
        assert result.unpublished == wanted
    assert conclude(session, place.store, is_cut_off=False).unpublished == ""
    assert {run.info.status for run in runs_of(place)} == {"FINISHED"}
    assert len(runs_of(place)) == 3


@quick
def test_an_error_of_our_own_is_raised_and_no_run_stays_open(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(publish, "write_frontier", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        conclude(session_of(place, trained), place.store, is_cut_off=False)
    assert {run.info.status for run in runs_of(place)} == {"FINISHED"}


def test_a_report_that_cannot_be_made_is_said(place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "log_report", lambda *_, **__: "KeyError: 'a'")
    result = conclude(session_of(place, trained), place.store, is_cut_off=False)
    assert (result.unreported, result.exit_code) == ("KeyError: 'a'", 0)


@quick
def test_a_full_disk_is_said_and_leaves_the_rest_to_sync(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "frontier.png")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "write_frontier", full)
        result = conclude(session_of(place, trained), place.store, is_cut_off=False)
    assert result.unpublished == "no space left on device: frontier.png"
    assert (result.num_finished, result.exit_code, result.full) == (2, 1, "")
    assert conclude(session_of(place, trained), place.store, is_cut_off=False).unpublished == ""


@quick
def test_what_ended_the_run_is_said_at_its_end(place: Place, trained: Journal) -> None:
    (trained.trial_directory(PLAIN) / "ended.json").unlink()
    session = session_of(place, trained)
    session.ledger.full = "no space left on device: x"
    result = conclude(session, place.store, is_cut_off=True)
    assert (result.full, result.interrupted, result.exit_code) == ("no space left on device: x", False, 1)
    assert status_of_the_sweep(place) == "KILLED"
