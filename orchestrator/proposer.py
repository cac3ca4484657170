"""Between Ray Tune and the study: hands out trials, and notes those whose worker died."""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher

from orchestrator.journal import Ended, Journal, Outcome
from orchestrator.study import Study
from trainers.train import forget_checkpoint


class Proposer(Searcher):
    """Ray Tune's searcher. Which trial is which to Ray lives here alone: a resumed sweep starts Ray afresh."""

    def __init__(self, study: Study, journal: Journal) -> None:
        super().__init__()
        self._study, self._journal = study, journal
        self._running: dict[str, Any] = {}  # Ray's id -> our trial

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles it for a restore of its own, which is never used here.
        return {}

    def __deepcopy__(self, memo: dict[int, object]) -> Proposer:
        return self

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is a str
        trial = self._study.next()
        if trial is None:
            return Searcher.FINISHED
        self._running[trial_id] = trial
        return {"trial_id": trial.trial_id, "config": trial.config.to_dict()}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._running.pop(trial_id)
        if error and self._journal.ended(trial.trial_id) is None:
            # the trial itself records what it raises: to Ray only a worker that died is an error
            if self._journal.config(trial.trial_id) is None:
                self._journal.begin(trial.trial_id, trial.config.to_dict(), {})
            self._journal.end(trial.trial_id, Ended(outcome=Outcome.FAILED, reason="the worker process died"))
        if self._journal.is_over(trial.trial_id):
            forget_checkpoint(self._journal.trial_directory(trial.trial_id))  # a stopped trial left one
        self._study.tell(trial.trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: Ray's own restore is never used."""
