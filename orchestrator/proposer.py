"""Between Ray Tune and the study: hands out trials, and notes those whose worker died."""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher

from orchestrator.journal import Ended, Journal, Outcome
from orchestrator.study import Study
from orchestrator.sweep import Trial
from orchestrator.trial import OUT_OF_MEMORY
from trainers.train import forget_checkpoint


class Proposer(Searcher):
    """Ray Tune's searcher. Which trial is which to Ray lives here alone: a resumed sweep starts Ray afresh."""

    def __init__(self, study: Study, journal: Journal, gpu: float) -> None:
        """``gpu``: a trial's share of a GPU. One that finds too little memory is tried once more, with twice that."""
        super().__init__()
        self._study, self._journal, self._gpu = study, journal, gpu
        self._running: dict[str, tuple[Trial, float]] = {}  # Ray's id -> our trial and its share
        self._again: list[Trial] = []

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles it for a restore of its own, which is never used here.
        return {}

    def __deepcopy__(self, memo: dict[int, object]) -> Proposer:
        return self

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is a str
        gpu = self._gpu
        trial = self._again.pop(0) if self._again else None
        if trial is not None:
            gpu = min(1.0, 2 * gpu)
        else:
            trial = self._study.next()
        if trial is None:  # while a trial runs, it may have to be tried again
            return None if self._running and self._has_more(gpu) else Searcher.FINISHED
        self._running[trial_id] = (trial, gpu)
        return {"trial_id": trial.trial_id, "config": trial.config.to_dict(), "gpu": gpu}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial, gpu = self._running.pop(trial_id)
        if error and self._journal.ended(trial.trial_id) is None:
            # the trial itself records what it raises: to Ray only a worker that died is an error
            if self._journal.config(trial.trial_id) is None:
                self._journal.begin(trial.trial_id, trial.config.to_dict(), {})
            self._journal.end(trial.trial_id, Ended(outcome=Outcome.FAILED, reason="the worker process died"))
        ended = self._journal.ended(trial.trial_id)
        is_starved = ended is not None and ended.reason.startswith(OUT_OF_MEMORY)
        if is_starved and gpu == self._gpu and self._has_more(gpu):
            self._journal.forget_failure(trial.trial_id)
            self._again.append(trial)
            return
        if self._journal.is_over(trial.trial_id):
            forget_checkpoint(self._journal.trial_directory(trial.trial_id))  # a stopped trial left one
        self._study.tell(trial.trial_id)

    def _has_more(self, gpu: float) -> bool:
        return 0 < gpu < 1

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: Ray's own restore is never used."""
