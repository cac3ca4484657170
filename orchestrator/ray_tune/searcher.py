"""Between Ray Tune and the study: hands out trials, and notes those whose worker died."""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher

from orchestrator.planning.ledger import Ledger
from orchestrator.planning.study import Study
from orchestrator.storage.journal import Journal
from orchestrator.storage.outcomes import OUT_OF_MEMORY
from orchestrator.sweep.resources import Resources, TrialResources
from orchestrator.sweep.trials import Trial


class StudySearcher(Searcher):
    """Ray Tune's searcher. Which trial is which to Ray lives here alone: a resumed sweep starts Ray afresh."""

    def __init__(self, study: Study, journal: Journal, resources: Resources, ledger: Ledger) -> None:
        """A trial that finds too little memory on its share of a GPU is tried once more, with twice that."""
        super().__init__()
        self._study, self._journal, self._resources, self._ledger = study, journal, resources, ledger
        self._running: dict[str, tuple[Trial, TrialResources]] = {}  # by Ray's id
        self._again: list[tuple[Trial, TrialResources]] = []

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles it for a restore of its own, which is never used here.
        return {}

    def __deepcopy__(self, memo: dict[int, object]) -> StudySearcher:
        return self

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is a str
        following = self._again.pop(0) if self._again else self._first_attempt()
        if following is None:  # while a trial runs, it may have to be tried again
            is_over = not any(self._has_more(*running) for running in self._running.values())
            return Searcher.FINISHED if is_over else None
        trial, resources = self._running[trial_id] = following
        self._ledger.start(trial.trial_id, resources.gpu)
        return {"trial_id": trial.trial_id, "config": trial.config.to_dict(), "resources": resources.model_dump()}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        trial, _ = self._running[trial_id]
        self._ledger.note(trial.trial_id, result["train_s"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self._journal.fetch(self._running[trial_id][0].trial_id)
        trial, resources = self._running.pop(trial_id)
        if result is not None and "train_s" in result:  # of a trial that was stopped nobody was told the last one
            self._ledger.note(trial.trial_id, result["train_s"])
        if error and self._journal.ended(trial.trial_id) is None:
            # the trial itself records what it raises: to Ray only a worker that died or cannot record is an error
            if self._journal.config(trial.trial_id) is None:
                self._journal.begin(trial.trial_id, trial.config.to_dict(), {})
            reason = "the worker process died, or its node does not see the sweep's folder"
            self._journal.fail(trial.trial_id, reason)
        ended = self._journal.ended(trial.trial_id)
        if ended is not None and ended.reason.startswith(OUT_OF_MEMORY) and self._has_more(trial, resources):
            self._journal.forget_failure(trial.trial_id)
            self._again.append((trial, resources.model_copy(update={"gpu": min(1.0, 2 * resources.gpu)})))
            return
        if self._journal.is_over(trial.trial_id):
            self._journal.forget_checkpoint(trial.trial_id)  # a stopped trial left one
        self._study.tell(trial.trial_id)

    def _first_attempt(self) -> tuple[Trial, TrialResources] | None:
        trial = None if self._ledger.spent() else self._study.next()
        return None if trial is None else (trial, self._resources.of(trial.config))

    def _has_more(self, trial: Trial, resources: TrialResources) -> bool:
        """Whether a trial can be tried again with a larger share of a GPU."""
        return 0 < resources.gpu < 1 and resources.gpu == self._resources.of(trial.config).gpu

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: Ray's own restore is never used."""
