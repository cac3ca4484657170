"""Ray Tune's searcher: hands out the study's trials, as far as the budget goes, and records workers that died."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ray.tune.search import Searcher

from orchestrator.planning.ledger import Ledger
from orchestrator.planning.retries import can_have_more, with_more_memory
from orchestrator.planning.study import Study
from orchestrator.storage.journal import FULL, Journal
from orchestrator.sweep.resources import Resources, TrialResources
from orchestrator.sweep.trials import Trial
from trainers.full_disk import why_full

_DIED = "the worker process died, or its node does not see the sweep's folder"
_UNRECORDED = "its worker had no space for the trial's record"


class StudySearcher(Searcher):
    """Asks the study for trials. Ray's ids of trials are known here alone: a resumed sweep starts Ray afresh."""

    def __init__(self, study: Study, journal: Journal, resources: Resources, ledger: Ledger) -> None:
        super().__init__()
        self._study, self._journal, self._resources, self._ledger = study, journal, resources, ledger
        self._running: dict[str, tuple[Trial, TrialResources]] = {}  # by Ray's id
        self._to_retry: list[tuple[Trial, TrialResources]] = []

    def __getstate__(self) -> dict[str, object]:
        # Tune pickles it for a restore of its own, which is never used here.
        return {}

    def __deepcopy__(self, memo: dict[int, object]) -> StudySearcher:
        return self

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]  # FINISHED is a str
        following: tuple[Trial, TrialResources] | None = None
        with self._noting_a_full_disk():
            following = self._to_retry.pop(0) if self._to_retry else self._first_attempt()
        if self._ledger.full:
            return Searcher.FINISHED
        if following is None:
            may_retry = any(can_have_more(had, self._planned(trial)) for trial, had in self._running.values())
            return None if may_retry else Searcher.FINISHED
        trial, resources = self._running[trial_id] = following
        self._ledger.start(trial.trial_id, resources.gpu)
        return {"trial_id": trial.trial_id, "config": trial.config.to_dict(), "resources": resources.model_dump()}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        trial, _ = self._running[trial_id]
        self._ledger.note(trial.trial_id, result["train_s"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial, resources = self._running.pop(trial_id)
        if result is not None and "train_s" in result:  # the last report of a stopped trial comes only here
            self._ledger.note(trial.trial_id, result["train_s"])
        with self._noting_a_full_disk():
            self._end(trial, resources, _DIED if error else _UNRECORDED)

    def _end(self, trial: Trial, resources: TrialResources, why: str) -> None:
        """Learn how a trial ended, and tell the study; ``why`` says why a trial without a record failed."""
        self._journal.fetch(trial.trial_id)
        ended = self._journal.ended(trial.trial_id)
        if ended is None:
            # a trial records what it raises: only a worker that died or cannot record leaves no record
            if self._journal.config(trial.trial_id) is None:
                self._journal.begin(trial.trial_id, trial.config.to_dict(), {})
            ended = self._journal.fail(trial.trial_id, why)
        if ended.reason.startswith(FULL):
            self._ledger.full = ended.reason.removeprefix(FULL)
        more = with_more_memory(ended, resources, self._planned(trial))
        if more is not None:
            self._journal.forget_failure(trial.trial_id)
            self._to_retry.append((trial, more))
            return
        if self._journal.is_over(trial.trial_id):
            self._journal.forget_checkpoint(trial.trial_id)  # a stopped trial left one
        self._study.tell(trial.trial_id)

    def _first_attempt(self) -> tuple[Trial, TrialResources] | None:
        trial = None if self._ledger.spent() else self._study.next()
        return None if trial is None else (trial, self._planned(trial))

    @contextlib.contextmanager
    def _noting_a_full_disk(self) -> Iterator[None]:
        """Note in the ledger that the disk has no space for what the block writes."""
        try:
            yield
        except OSError as error:
            self._ledger.full = why_full(error)
            if not self._ledger.full:
                raise

    def _planned(self, trial: Trial) -> TrialResources:
        """What the sweep gives a trial."""
        return self._resources.of(trial.config)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the study is on disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: Ray's own restore is never used."""
