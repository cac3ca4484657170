"""What a sweep may spend, and what it has spent: once it has, no further trial starts."""

from __future__ import annotations

import time

from pydantic import Field

from orchestrator.journal import Journal
from orchestrator.resources import Frozen


class Budget(Frozen):
    """Limits of a sweep; None where there is none. What runs when one is reached runs to its end."""

    trials: int | None = Field(default=None, ge=1)
    """Trials that start."""
    train_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds of training, of all trials together."""
    gpu_h: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Hours of training times the share of GPUs that each trial has."""
    wall_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds since the sweep started or was resumed."""

    @property
    def is_set(self) -> bool:
        """Whether there is any limit."""
        return bool(self.model_dump(exclude_none=True))


class Ledger:
    """Counts what a sweep spends, beginning with what earlier processes spent."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._train_s: dict[str, float] = {}  # by trial id
        self._gpu: dict[str, float] = {}
        self._began_s = time.monotonic()

    def read(self, trial_id: str, gpu: float, journal: Journal) -> None:
        """What a trial has trained so far, as it is on disk; one that never trained has spent nothing."""
        reports = [row["train_s"] for row in journal.progress(trial_id)]
        ended = journal.ended(trial_id)
        points = [point.train_s for point in ended.points] if ended else []
        if reports or points:
            self.start(trial_id, gpu)
            self.note(trial_id, max(reports + points))

    def start(self, trial_id: str, gpu: float) -> None:
        """A trial starts, or again, with a share of a GPU."""
        self._train_s.setdefault(trial_id, 0.0)
        self._gpu[trial_id] = gpu

    def note(self, trial_id: str, train_s: float) -> None:
        """A trial reports how long it has trained."""
        self._train_s[trial_id] = max(self._train_s[trial_id], train_s)

    @property
    def train_s(self) -> float:
        """Seconds of training so far."""
        return sum(self._train_s.values())

    def spent(self) -> str:
        """Which limit is reached, in a few words; empty where none is."""
        gpu_h = sum(train_s * self._gpu[trial_id] for trial_id, train_s in self._train_s.items()) / 3600
        counted = {
            "trials": len(self._train_s),
            "train_s": self.train_s,
            "gpu_h": gpu_h,
            "wall_s": time.monotonic() - self._began_s,
        }
        for name, value in counted.items():
            limit = getattr(self._budget, name)
            if limit is not None and value >= limit:
                return f"budget.{name} is {limit:g}, and {value:.4g} are spent"
        return ""
