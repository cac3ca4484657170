"""Decides whether a trial is tried again.

- Its worker process died: Ray starts it again from its last checkpoint, ``MAX_RESTARTS`` times; then it has failed.
- It found too little memory on its share of a GPU: it is tried once more, with ``larger_share``.
- It failed in any other way, or in both of these: it is tried again when the sweep is resumed (``forget_failures``).
- It finished, or the scheduler stopped it: never.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.storage.journal import Journal
from orchestrator.storage.outcomes import OUT_OF_MEMORY, Ended
from orchestrator.sweep.resources import Share
from orchestrator.sweep.trials import Trial

MAX_RESTARTS = 2
"""How often a trial whose worker died is started again in one run of the sweep."""


def larger_share(ended: Ended | None, share: Share, planned: Share) -> Share | None:
    """The share with which a trial that has just ended is tried again at once; None where it is not.

    Args:
        ended: its record; None where it has none.
        share: what it had.
        planned: what the sweep's resources give it.
    """
    if ended is None or not ended.reason.startswith(OUT_OF_MEMORY) or not can_have_more(share, planned):
        return None
    return share.model_copy(update={"gpu": min(1.0, 2 * share.gpu)})


def can_have_more(share: Share, planned: Share) -> bool:
    """Whether a trial may be tried again with more of a GPU: it had a part of one, and no more than was planned."""
    return 0 < share.gpu < 1 and share.gpu == planned.gpu


def forget_failures(journal: Journal, trials: Iterable[Trial]) -> None:
    """Delete the records of trials that failed, so that a resumed sweep tries them again; others stay as they are."""
    for trial in trials:
        journal.forget_failure(trial.trial_id)
