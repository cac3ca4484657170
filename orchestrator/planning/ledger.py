"""Counts what a sweep spends of its budget: once a limit is reached or the disk is full, no further trial starts."""

from __future__ import annotations

import time

from orchestrator.storage.journal import Journal
from orchestrator.sweep.budget import Budget


class Ledger:
    """Counts trials, seconds and hours of a GPU; ``read`` adds what earlier processes spent."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._trained_s: dict[str, float] = {}  # by trial id
        self._gpu: dict[str, float] = {}  # the part of a GPU that a trial has, by trial id
        self._counted: set[str] = set()  # trials that count for the limit of trials
        self._gpu_s = 0.0
        self.train_s = 0.0
        """Seconds of training so far."""
        self.full = ""
        """What a full disk refused: once that is known, no further trial starts."""
        self._began_s = time.monotonic()

    def read(self, trial_id: str, journal: Journal) -> None:
        """Add what a trial has spent by its journal. One that has not ended counts as a trial when it goes on."""
        reports = [row["train_s"] for row in journal.progress(trial_id)]
        ended = journal.ended(trial_id)
        points = [point.train_s for point in ended.points] if ended else []
        if reports or points:
            self._gpu[trial_id] = float(journal.environment(trial_id).get("gpu", 0.0))
            self.note(trial_id, max(reports + points))
        if ended is not None:
            self._counted.add(trial_id)

    def start(self, trial_id: str, gpu: float) -> None:
        """A trial starts, for the first time or again, with a GPU or a part of one."""
        self._gpu[trial_id] = gpu
        self._counted.add(trial_id)

    def note(self, trial_id: str, train_s: float) -> None:
        """A trial says how long it has trained, all its attempts together."""
        more_s = max(train_s - self._trained_s.get(trial_id, 0.0), 0.0)
        self._trained_s[trial_id] = self._trained_s.get(trial_id, 0.0) + more_s
        self.train_s += more_s
        self._gpu_s += more_s * self._gpu[trial_id]

    def spent(self) -> str:
        """The limit that is reached, in a few words; empty where none is."""
        counted = {
            "trials": len(self._counted),
            "train_s": self.train_s,
            "gpu_h": self._gpu_s / 3600,
            "wall_s": time.monotonic() - self._began_s,
        }
        for name, value in counted.items():
            limit = getattr(self._budget, name)
            if limit is not None and value >= limit:
                return f"budget.{name} is {limit:g}, and {value:.4g} are spent"
        return ""
