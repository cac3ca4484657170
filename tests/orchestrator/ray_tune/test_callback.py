"""What Ray Tune says of trials reaches the board and the views."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.ray_tune.callback import BoardCallback
from orchestrator.storage.folder import MemoryFolder
from orchestrator.storage.journal import Journal, Outcome
from orchestrator.views.board import Board, Totals
from orchestrator.views.broadcast import Broadcast
from orchestrator.views.events import AbstractEvent, TrialEnded, TrialReported, TrialStarted
from tests.orchestrator.trained import NoView
from tests.orchestrator.views.samples import CONFIG, REPORT
from tests.points import point

TRIAL_ID = "0001-epr-s0"


class Notes(NoView):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.events: list[AbstractEvent] = []

    def show(self, event: AbstractEvent, board: Board) -> None:
        self.events.append(event)


@pytest.fixture
def told() -> tuple[BoardCallback, Journal, Board, Notes]:
    journal, notes = Journal(MemoryFolder()), Notes()
    board = Board("s-1", "memory", Totals(num_trials=2), {})
    return BoardCallback(Broadcast(board, [notes]), journal), journal, board, notes


def rays_trial() -> Any:
    """A trial as Ray has it, with the statistics that it keeps of every number."""
    metadata = SimpleNamespace(metric_n_steps={"loss": {"5": [1.0]}}, metric_analysis={"loss": {"max": 1.0}})
    return SimpleNamespace(config={"trial_id": TRIAL_ID, "config": CONFIG}, run_metadata=metadata)


def test_a_start_and_a_report_are_told_as_they_come(told: tuple[BoardCallback, Journal, Board, Notes]) -> None:
    callback, _, board, notes = told
    trial = rays_trial()
    callback.on_trial_start(0, [], trial)
    assert board.running[TRIAL_ID].config == CONFIG
    callback.on_trial_result(1, [], trial, {**REPORT, "trial_id": "Ray's own", "time_this_iter_s": 0.1})
    started, reported = notes.events
    assert isinstance(started, TrialStarted)
    assert isinstance(reported, TrialReported)
    assert reported.progress.keys() == REPORT.keys(), "what Ray adds is left out"


@pytest.mark.parametrize("verb", ["on_trial_complete", "on_trial_error"])
def test_an_end_is_told_as_the_journal_has_it(verb: str, told: tuple[BoardCallback, Journal, Board, Notes]) -> None:
    callback, journal, board, notes = told
    trial = rays_trial()
    callback.on_trial_start(0, [], trial)
    journal.finish(TRIAL_ID, [point(trial_id=TRIAL_ID)])
    getattr(callback, verb)(1, [], trial)
    ended = notes.events[-1]
    assert isinstance(ended, TrialEnded)
    assert (ended.trial_id, ended.outcome) == (TRIAL_ID, Outcome.FINISHED)
    assert board.num(Outcome.FINISHED) == 1
    assert not board.running


def test_a_trial_without_a_record_runs_no_more_and_nobody_is_told_of_an_end(
    told: tuple[BoardCallback, Journal, Board, Notes],
) -> None:
    callback, _, board, notes = told
    trial = rays_trial()
    callback.on_trial_start(0, [], trial)
    callback.on_trial_complete(1, [], trial)
    assert not board.running
    assert [type(event) for event in notes.events] == [TrialStarted]


def test_what_ray_keeps_of_every_number_is_dropped(told: tuple[BoardCallback, Journal, Board, Notes]) -> None:
    trial = rays_trial()
    told[0].on_trial_start(0, [], trial)
    told[0].on_trial_complete(1, [], trial)
    assert trial.run_metadata.metric_n_steps == trial.run_metadata.metric_analysis == {}


def test_ray_may_pickle_it_and_gets_nothing(told: tuple[BoardCallback, Journal, Board, Notes]) -> None:
    assert vars(pickle.loads(pickle.dumps(told[0]))) == {}
