"""Ray Tune's callback: what trials do is told to whoever shows the sweep."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ray import tune

from orchestrator.storage.journal import Journal
from orchestrator.views.broadcast import Broadcast
from trainers.loop.progress import Progress

_REPORTED = [item.name for item in fields(Progress)]


class BoardCallback(tune.Callback):
    """Tells starts and reports as Ray Tune does, and ends as the journal has them."""

    def __init__(self, broadcast: Broadcast, journal: Journal) -> None:
        self._broadcast, self._journal = broadcast, journal

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles its callbacks for a restore of its own, which is never used here.
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._broadcast.start(trial.config["trial_id"], trial.config["config"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._broadcast.report(trial.config["trial_id"], {name: result[name] for name in _REPORTED})

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial)

    def _end(self, trial: Any) -> None:
        # Ray keeps statistics of every number that a trial reported, for ever: most of what a driver's memory grows by
        # (Ray's issue 64231)
        trial.run_metadata.metric_n_steps.clear()
        trial.run_metadata.metric_analysis.clear()
        trial_id = trial.config["trial_id"]
        self._journal.fetch(trial_id)
        self._broadcast.end(trial_id, self._journal.ended(trial_id))  # None: it is tried again, or was interrupted
