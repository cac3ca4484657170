"""Where a sweep runs, and a sweep that this process holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.points.tracking_uri import without_credentials
from orchestrator.planning.ledger import Ledger
from orchestrator.planning.study import Study
from orchestrator.storage.journal import Journal
from orchestrator.storage.outcomes import Ended, Outcome
from orchestrator.sweep.definition import Sweep

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a sweep runs and leaves its results."""

    storage: str
    """Folder of all sweeps, on a cluster one that all nodes share; or an address such as ``s3://bucket/sweeps``."""
    tracking_uri: str
    import_path: Path
    """Folder of the user's own modules."""
    address: str | None = None
    """Of a running Ray cluster; without one Ray is started here and stopped at the end."""
    ui_url: str | None = None
    """Of the MLflow UI, where it is not the tracking server's."""

    @property
    def ui(self) -> str | None:
        """Of the MLflow UI, for links."""
        is_server = self.tracking_uri.startswith(("http://", "https://"))
        return self.ui_url or (without_credentials(self.tracking_uri) if is_server else None)


@dataclass(frozen=True, kw_only=True)
class Session:
    """A sweep that this process holds."""

    sweep: Sweep
    sweep_id: str
    journal: Journal
    study: Study
    ledger: Ledger
    place: Place

    @staticmethod
    def of(sweep: Sweep, sweep_id: str, journal: Journal, place: Place) -> Session:
        study, ledger = Study(sweep, journal), Ledger(sweep.budget)
        for trial in study.trials:
            ledger.read(trial.trial_id, journal)
        return Session(sweep=sweep, sweep_id=sweep_id, journal=journal, study=study, ledger=ledger, place=place)

    def ended(self) -> dict[str, Ended]:
        """Trials that have, by trial id."""
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
        """Trials with nothing left to do."""
        counts = self.count()
        return counts[Outcome.FINISHED] + counts[Outcome.STOPPED]
