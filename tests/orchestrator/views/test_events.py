"""The JSON form of every kind of event, and what an event changes on a board."""

from __future__ import annotations

import json
import math

import pytest

from orchestrator.storage.journal import Outcome
from orchestrator.views.board import Totals
from orchestrator.views.events import (
    AbstractEvent,
    AbstractTrialEvent,
    PointsStored,
    SweepEnded,
    SweepStarted,
    TrialEnded,
    TrialFound,
    TrialReported,
    TrialStarted,
    from_dict,
)
from tests.orchestrator.views.samples import CONFIG, REPORT, TRIALS, board_of_four
from tests.points import point

TOTALS = Totals(num_trials=4, num_skipped=1, train_s=2.5)
POINTS = (point(trial_id=TRIALS[1]), point(trial_id=TRIALS[1], point_id="smaller", size_bytes=10))
ENDINGS = {"trial_id": TRIALS[1], "num_ended": 2, "hypervolume": 5.7, "totals": TOTALS}
EVENTS = (
    SweepStarted(sweep_id="digits-1", directory="sweeps/digits-1", num_ended=1, totals=TOTALS),
    TrialFound(trial_id=TRIALS[0], outcome=Outcome.FINISHED, points=POINTS),
    TrialStarted(trial_id=TRIALS[1], config=CONFIG),
    TrialReported(trial_id=TRIALS[1], progress=REPORT),
    PointsStored(trial_id=TRIALS[1], points=POINTS),
    TrialEnded(outcome=Outcome.FINISHED, points=POINTS, **ENDINGS),
    TrialEnded(outcome=Outcome.FAILED, reason="it broke", **{**ENDINGS, "hypervolume": None}),
    TrialEnded(outcome=Outcome.STOPPED, reason="it was last", **ENDINGS),
    SweepEnded(result={"sweep_id": "digits-1", "frontier": [{"config": "a", "size_bytes_std": None}], "pages": {}}),
)


def kinds(base: type[AbstractEvent]) -> set[str]:
    """The kinds of all events under ``base``."""
    below = base.__subclasses__()
    return set().union(*map(kinds, below)) if below else {base.kind}


def test_every_kind_is_tested() -> None:
    assert {event.kind for event in EVENTS} == kinds(AbstractEvent)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_is_read_as_it_was_written(event: AbstractEvent) -> None:
    row = json.loads(json.dumps(event.to_dict(), allow_nan=False))
    assert from_dict(row) == event
    assert list(row)[:2] == ["event", "at_s"]
    assert json.dumps(from_dict(row).to_dict()) == json.dumps(row)


def test_numbers_that_json_lacks_are_null_and_read_as_nan() -> None:
    event = TrialReported(trial_id=TRIALS[1], progress={**REPORT, "quality_val": math.inf})
    row = event.to_dict()
    assert (row["train_loss"], row["quality_val"]) == (None, None)
    read = from_dict(row)
    assert isinstance(read, TrialReported)
    assert math.isnan(read.progress["train_loss"])
    assert math.isnan(read.progress["quality_val"])


def test_the_time_of_an_event_is_in_whole_milliseconds() -> None:
    event = TrialStarted(trial_id=TRIALS[1], config={})
    assert event.at_s == round(event.at_s, 3) > 1e9


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown event 'trial_lost': wanted one of sweep_started, trial_found"):
        from_dict({"event": "trial_lost", "at_s": 0.0})


def test_a_board_follows_the_events_of_trials() -> None:
    board = board_of_four()
    started, reported, stored, ended = (event for event in EVENTS[2:6] if isinstance(event, AbstractTrialEvent))
    started.apply(board)
    reported.apply(board)
    assert board.running[TRIALS[1]].config == CONFIG
    assert board.running[TRIALS[1]].fraction == 0.25
    stored.apply(board)
    assert sorted(board.coverage.size_bytes) == [10, 1000, 1000]
    ended.apply(board)
    assert board.running == {}
    assert board.num(Outcome.FINISHED) == 2
    assert sorted(board.coverage.size_bytes) == [10, 1000, 1000]
    assert board.totals == TOTALS
