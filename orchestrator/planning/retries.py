"""Decides whether a trial is tried again.

- Its worker process died: Ray starts it again from its last checkpoint, ``MAX_RESTARTS`` times; then it has failed.
- It found too little memory on its part of a GPU: it is tried once more, with twice that (``with_more_memory``).
- It failed in any other way, or in both of these: it is tried again when the sweep is resumed (``forget_failures``).
- It finished, or the scheduler stopped it: never.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.storage.journal import OUT_OF_MEMORY, Ended, Journal
from orchestrator.sweep.resources import TrialResources
from orchestrator.sweep.trials import Trial

MAX_RESTARTS = 2
"""How often a trial whose worker died is started again in one run of the sweep."""


def with_more_memory(ended: Ended | None, had: TrialResources, planned: TrialResources) -> TrialResources | None:
    """The resources with which a trial that has just ended is tried again at once; None where it is not.

    Args:
        ended: its record; None where it has none.
        had: its resources.
        planned: what the sweep gives it.
    """
    if ended is None or not ended.reason.startswith(OUT_OF_MEMORY) or not can_have_more(had, planned):
        return None
    return had.model_copy(update={"gpu": min(1.0, 2 * had.gpu)})


def can_have_more(had: TrialResources, planned: TrialResources) -> bool:
    """Whether a trial may be tried again with more of a GPU: it had a part of one, and no more than was planned."""
    return 0 < had.gpu < 1 and had.gpu == planned.gpu


def forget_failures(journal: Journal, trials: Iterable[Trial]) -> None:
    """Delete the records of trials that failed, so that a resumed sweep tries them again; others stay as they are."""
    for trial in trials:
        journal.forget_failure(trial.trial_id)
