"""Tells what happens to a sweep: the board first, then everyone who shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import Ended
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board, Totals
from orchestrator.views.events import (
    AbstractEvent,
    AbstractTrialEvent,
    PointsStored,
    SweepStarted,
    TrialEnded,
    TrialFound,
    TrialReported,
    TrialStarted,
)
from trainers.record import OperatingPoint


class Broadcast:
    """A board and the views that show it.

    Code that runs trials calls ``start``, ``report`` and ``end``. Code that reads a log has events already and passes
    them to ``tell``."""

    def __init__(
        self,
        board: Board,
        views: Sequence[AbstractView],
        *,
        totals: Callable[[], Totals] | None = None,
        early_points: Callable[[str], Sequence[OperatingPoint]] = lambda trial_id: (),
    ) -> None:
        """Connect a board with its views.

        Args:
            board: where the sweep stands.
            views: all that show it.
            totals: gives the totals as they are now; default: those of the board.
            early_points: gives the points that a running trial has stored on its way, where a log does not tell.
        """
        self.board = board
        self._views = views
        self._totals = totals or (lambda: board.totals)
        self._early_points = early_points

    @contextlib.contextmanager
    def shown(self, beginning: Iterable[AbstractEvent]) -> Iterator[None]:
        """A context in which the views show the sweep; all other calls belong inside it.

        Args:
            beginning: events that the board knows already: from a log, or from ``beginning_of``.
        """
        with contextlib.ExitStack() as stack:
            for view in self._views:
                stack.enter_context(view.shown(self.board))
            for event in beginning:
                self._show(event)
            yield
            self.board.totals = self._totals()

    def start(self, trial_id: str, config: Mapping[str, Any]) -> None:
        """Tell that a trial started, for the first time or again."""
        self.board.totals = self._totals()
        self.tell(TrialStarted(trial_id=trial_id, config=config))

    def report(self, trial_id: str, progress: Mapping[str, Any]) -> None:
        """Tell what a running trial reported; in a new phase, what it stored at the end of the one before as well."""
        self.board.totals = self._totals()
        running = self.board.running.get(trial_id)
        is_new_phase = running is not None and running.progress.get("phase", progress["phase"]) != progress["phase"]
        self.tell(TrialReported(trial_id=trial_id, progress=progress))
        if is_new_phase and (new := self._new_points(trial_id)):
            self.tell(PointsStored(trial_id=trial_id, points=new))

    def end(self, trial_id: str, ended: Ended | None) -> None:
        """Tell that a trial no longer runs.

        ``ended`` is None where the trial was interrupted or is tried again: then only the board is told.
        """
        self.board.totals = self._totals()
        self.board.end(trial_id, ended)
        if ended is not None:  # the event has the board's numbers after this trial, so the board was told before
            self._show(
                TrialEnded(
                    trial_id=trial_id,
                    outcome=ended.outcome,
                    reason=ended.reason,
                    points=ended.points,
                    num_ended=self.board.num_ended,
                    hypervolume=self.board.hypervolume,
                    totals=self.board.totals,
                )
            )

    def _new_points(self, trial_id: str) -> tuple[OperatingPoint, ...]:
        with contextlib.suppress(DamagedError, OSError):  # the trial's end tells of them, or of what is wrong
            points = self._early_points(trial_id)
            return tuple(point for point in points if not self.board.knows(trial_id, point.point_id))
        return ()

    def tell(self, event: AbstractTrialEvent) -> None:
        """Tell the board, then the views."""
        event.apply(self.board)
        self._show(event)

    def _show(self, event: AbstractEvent) -> None:
        for view in self._views:
            view.show(event, self.board)


def beginning_of(board: Board) -> list[AbstractEvent]:
    """The first events of a run: the sweep started, and the trials that earlier processes ended were found."""
    started = SweepStarted(
        sweep_id=board.sweep_id, directory=board.directory, num_ended=board.num_ended, totals=board.totals
    )
    found = [
        TrialFound(trial_id=trial_id, outcome=ended.outcome, reason=ended.reason, points=ended.points)
        for trial_id, ended in board.earlier.items()
    ]
    return [started, *found]
