"""One trial on a worker, as Ray Tune calls it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.planning.study import plan
from orchestrator.ray_tune.tasks import SharedTasks
from orchestrator.ray_tune.trainable import Surroundings, _Pace, run_on_ray
from orchestrator.storage.journal import Journal, Outcome
from orchestrator.storage.locations import open_journal
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Setting
from tests.orchestrator.trained import EPR, SWEEP


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is reported to Ray Tune."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr("ray.tune.report", sent.append)
    return sent


def call(folder: Path, **changes: Any) -> list[str]:
    """Run the first trial; returns what the tracker is told."""
    told: list[str] = []
    suggested = {"trial_id": EPR, "config": plan(SWEEP)[0].config.to_dict(), "resources": TrialResources().model_dump()}
    run_on_ray(
        {**suggested, **changes},
        around=Surroundings(
            setting=Setting(sweep_id=SWEEP.sweep_id, location=str(folder), import_path=str(folder)),
            tracker=SimpleNamespace(sync=SimpleNamespace(remote=told.append)),
            tasks=SharedTasks({}),
        ),
    )
    return told


def begun(folder: Path) -> Journal:
    journal = open_journal(str(folder))
    journal.begin_sweep(SWEEP.to_yaml())
    return journal


def test_a_trial_is_recorded_tracked_and_reported_flat(tmp_path: Path, reports: list[dict[str, Any]]) -> None:
    journal = begun(tmp_path)
    told = call(tmp_path)
    ended = journal.ended(EPR)
    assert ended is not None
    assert ended.outcome is Outcome.FINISHED
    assert set(told) == {EPR}
    assert reports == journal.progress(EPR)
    assert reports[-1]["step"] == 17


def test_what_the_trial_raises_is_no_error_to_ray(tmp_path: Path, reports: list[dict[str, Any]]) -> None:
    journal = begun(tmp_path)
    call(tmp_path, resources=TrialResources(time_s=1e-9).model_dump())
    ended = journal.ended(EPR)
    assert ended is not None
    assert (ended.outcome, ended.reason.partition(":")[0]) == (Outcome.FAILED, "TimeoutError")


def test_a_node_that_does_not_see_the_sweep_is_an_error_to_ray(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == [], "what a trial left there would be lost"


def test_a_worker_waits_for_a_tracker_that_is_behind_and_not_again_before_it_has_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[str] = []
    waits: list[tuple[str, float]] = []

    def wait(references: list[str], *, timeout: float, fetch_local: bool) -> tuple[list[str], list[str]]:
        (reference,) = references
        waits.append((reference, timeout))
        return ([reference], []) if reference in taken else ([], [reference])

    monkeypatch.setattr("ray.wait", wait)
    pace = _Pace()
    pace.wait()
    assert waits == [], "nothing was sent"
    for reference in ("first", "second", "third", "fourth"):
        pace.sent(reference)
        if reference == "third":
            taken.append(reference)
        pace.wait()
    assert waits == [("first", 1.0), ("second", 0.0), ("third", 0.0), ("fourth", 1.0)]
