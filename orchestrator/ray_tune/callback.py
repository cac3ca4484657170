"""Between Ray Tune and whoever shows a sweep: what trials do, told to the board and to the views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ray import tune

from orchestrator.storage.journal import Journal
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from trainers.loop.progress import Progress

_REPORTED = [item.name for item in fields(Progress)]


class BoardCallback(tune.Callback):
    """Ray Tune's callback; what was measured it reads from the journal."""

    def __init__(self, board: Board, views: Sequence[AbstractView], journal: Journal) -> None:
        self._board, self._views, self._journal = board, views, journal

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles its callbacks for a restore of its own, which is never used here.
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        trial_id = trial.config["trial_id"]
        self._board.start(trial_id, trial.config["config"])
        for view in self._views:
            view.on_start(self._board, trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        trial_id = trial.config["trial_id"]
        self._board.report(trial_id, {name: result[name] for name in _REPORTED})
        for view in self._views:
            view.on_report(self._board, trial_id)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial)

    def _end(self, trial: Any) -> None:
        # of each number that it reported Ray keeps statistics for ever, most of what a driver grows by: ray issue 64231
        trial.run_metadata.metric_n_steps.clear()
        trial.run_metadata.metric_analysis.clear()
        trial_id = trial.config["trial_id"]
        self._journal.fetch(trial_id)
        ended = self._journal.ended(trial_id)  # none: it is tried again, or was interrupted
        self._board.end(trial_id, ended)
        if ended is not None:
            for view in self._views:
                view.on_end(self._board, trial_id, ended)
