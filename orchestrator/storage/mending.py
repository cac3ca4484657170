"""Mends a sweep in which files are damaged: it costs the trials that these belong to, and no other."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import PROGRESS, RECORD, TRIAL, Journal


def mend(journal: Journal, trial_ids: Collection[str] | None = None) -> None:
    """Set aside what cannot be read of the trials, so that they are trained again; a line is kept for each file.

    Without its ``trial.json`` nothing says what a trial's record and reports are of: they go together.

    Args:
        journal: of a sweep that the caller holds.
        trial_ids: which trials; default: all.
    """
    for trial_id in journal.traces():
        if trial_ids is None or trial_id in trial_ids:
            _mend(journal, trial_id)


def _mend(journal: Journal, trial_id: str) -> None:
    why = {TRIAL: "", RECORD: ""}
    for kind, read in ((TRIAL, journal.environment), (TRIAL, journal.config), (RECORD, journal.ended)):
        try:
            read(trial_id)
        except FileNotFoundError as error:
            why[kind] = f"{error.filename} is not there: trial {trial_id} is trained again"
        except DamagedError as error:
            why[kind] = str(error)
    if why[TRIAL]:
        journal.set_aside(trial_id, TRIAL, RECORD, PROGRESS)
    elif why[RECORD]:
        journal.set_aside(trial_id, RECORD)
    for line in filter(None, why.values()):
        journal.note_damage(trial_id, line)
    journal.mend_progress(trial_id)
