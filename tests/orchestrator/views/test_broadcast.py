"""Who is told what happens, and in which order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchestrator.storage.damage import DamagedError
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.broadcast import Broadcast, beginning_of
from orchestrator.views.events import AbstractEvent, PointsStored, SweepStarted, TrialEnded, TrialFound, TrialStarted
from tests.orchestrator.views.samples import REPORT, TRIALS, board_of_four, finished
from trainers.record import OperatingPoint


class Notes(AbstractView):
    """Notes each event, and how many trials had ended by the board at that time."""

    def __init__(self) -> None:
        self.events: list[AbstractEvent] = []
        self.noted: list[tuple[str, int]] = []

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        self.noted.append(("shown", board.num_ended))
        yield
        self.noted.append(("over", board.num_ended))

    def show(self, event: AbstractEvent, board: Board) -> None:
        self.events.append(event)
        self.noted.append((event.kind, board.num_ended))


def test_the_board_knows_before_every_view() -> None:
    board, views = board_of_four(), [Notes(), Notes()]
    broadcast = Broadcast(board, views)
    with broadcast.shown(beginning_of(board)):
        broadcast.start(TRIALS[2], {})
        broadcast.report(TRIALS[1], REPORT)
        broadcast.end(TRIALS[1], finished(1))
        broadcast.end(TRIALS[2], None)
    assert board.running == {}
    for view in views:
        assert view.noted == [
            ("shown", 1),
            ("sweep_started", 1),
            ("trial_found", 1),
            ("trial_started", 1),
            ("report", 1),
            ("trial_ended", 2),
            ("over", 2),
        ]


def test_an_event_has_what_the_board_counts_with_it() -> None:
    board, view = board_of_four(), Notes()
    Broadcast(board, [view]).end(TRIALS[1], finished(1, size_bytes=100))
    (event,) = view.events
    assert isinstance(event, TrialEnded)
    assert (event.num_ended, event.hypervolume) == (2, board.hypervolume)


def test_totals_are_read_at_each_event_and_at_the_end() -> None:
    board, view = board_of_four(), Notes()
    now = [board.totals]
    broadcast = Broadcast(board, [view], totals=lambda: now[0])
    with broadcast.shown(beginning_of(board)):
        now[0] = replace(now[0], num_trials=3)
        broadcast.start(TRIALS[2], {})
        assert board.num_trials == 3
        now[0] = replace(now[0], num_skipped=1)
    assert view.noted[-1] == ("over", 2)


def test_a_sweep_begins_with_what_earlier_processes_left() -> None:
    board = board_of_four()
    started, found = beginning_of(board)
    assert isinstance(started, SweepStarted)
    assert isinstance(found, TrialFound)
    assert (started.sweep_id, started.num_ended, started.totals) == ("digits-1", 1, board.totals)
    assert (found.trial_id, found.points) == (TRIALS[0], board.earlier[TRIALS[0]].points)


def test_an_event_of_a_log_reaches_the_views_unchanged() -> None:
    board, view = board_of_four(), Notes()
    event = TrialStarted(at_s=12.5, trial_id=TRIALS[3], config={})
    Broadcast(board, [view]).tell(event)
    assert view.events == [event]
    assert TRIALS[3] in board.running


def test_what_a_trial_stored_on_its_way_is_told_in_its_next_phase_and_once() -> None:
    stored = [*finished(1, point_id="lam3").points]
    board, view = board_of_four(), Notes()
    broadcast = Broadcast(board, [view], early_points=lambda trial_id: stored)
    broadcast.report(TRIALS[1], {**REPORT, "phase": "lam3"})
    broadcast.report(TRIALS[1], {**REPORT, "phase": "lam3"})
    broadcast.report(TRIALS[1], {**REPORT, "phase": "lam2"})
    stored += finished(1, point_id="lam2").points
    broadcast.report(TRIALS[1], {**REPORT, "phase": "lam1"})
    told = [[one.point_id for one in event.points] for event in view.events if isinstance(event, PointsStored)]
    assert told == [["lam3"], ["lam2"]]


@pytest.mark.parametrize("error", [DamagedError("points.json is damaged"), OSError("no answer")])
def test_early_points_that_cannot_be_read_stop_nothing(error: Exception) -> None:
    def broken(trial_id: str) -> tuple[OperatingPoint, ...]:
        raise error

    board, view = board_of_four(), Notes()
    broadcast = Broadcast(board, [view], early_points=broken)
    for phase in ("lam3", "lam2"):
        broadcast.report(TRIALS[1], {**REPORT, "phase": phase})
    assert [event.kind for event in view.events] == ["report", "report"]
