"""A sweep that this process holds: its journal, its study and its ledger, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.planning.ledger import Ledger
from orchestrator.planning.study import Study
from orchestrator.storage import mending
from orchestrator.storage.damage import new_lines
from orchestrator.storage.journal import Ended, Journal, Outcome
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import Trial


@dataclass(frozen=True, kw_only=True)
class Session:
    """A sweep that this process holds, so that no other writes to its journal, but for the workers of its trials."""

    sweep: Sweep
    sweep_id: str
    journal: Journal
    study: Study
    ledger: Ledger
    known_damage: tuple[str, ...]
    """What earlier processes found damaged, as ``Journal.damage`` says it."""

    @staticmethod
    def open(sweep: Sweep, sweep_id: str, journal: Journal, *, mend: bool = False) -> Session:
        """Restore the study and the ledger from what earlier processes left. Nothing is written, unless to ``mend``.

        Args:
            sweep: what is run.
            sweep_id: its id.
            journal: its journal.
            mend: whether trials whose files are damaged lose these, to be trained again; else they are an error.

        Raises:
            DamagedError: a file cannot be read.
            SweepError: a trial cannot be made, or the record on disk is not one that this sweep wrote.
        """
        known_damage = tuple(journal.damage())
        if mend:
            mending.mend(journal)
        study, ledger = Study(sweep, journal), Ledger(sweep.budget)
        for trial in study.trials:
            ledger.read(trial.trial_id, journal)
        return Session(
            sweep=sweep,
            sweep_id=sweep_id,
            journal=journal,
            study=study,
            ledger=ledger,
            known_damage=known_damage,
        )

    def ended(self) -> dict[str, Ended]:
        """The record of each trial that has ended, by trial id."""
        found = {trial.trial_id: self.journal.ended(trial.trial_id) for trial in self.study.trials}
        return {trial_id: ended for trial_id, ended in found.items() if ended is not None}

    def count(self) -> dict[Outcome | None, int]:
        """Trials by outcome; None counts those that have not ended, and those still to come."""
        counts: dict[Outcome | None, int] = dict.fromkeys(Outcome, 0)
        for ended in self.ended().values():
            counts[ended.outcome] += 1
        counts[None] = self.study.most_trials - sum(counts.values())
        return counts

    def num_over(self) -> int:
        """Trials with nothing left to do: they finished or were stopped."""
        counts = self.count()
        return counts[Outcome.FINISHED] + counts[Outcome.STOPPED]

    def has_more(self) -> bool:
        """Whether a trial is left to run, and the budget lets it."""
        return self.num_over() < self.study.most_trials and not self.ledger.spent()

    def new_damage(self) -> list[str]:
        """What was found damaged since this process holds the sweep, in a line for each file."""
        return new_lines(self.journal.damage(), self.known_damage)

    def left(self) -> list[Trial]:
        """Known trials that are not over."""
        return [trial for trial in self.study.trials if not self.journal.is_over(trial.trial_id)]
