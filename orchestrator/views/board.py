"""How a running sweep stands, for whoever shows it: counts, what runs, what failed, what is left, the front so far."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from analysis.fronts.hypervolume import Reference
from orchestrator.search.coverage import Coverage
from orchestrator.storage.outcomes import Ended, Outcome

_CORNER = Reference(size_bytes=1e9, quality=0.0, maximise=True)


@dataclass
class RunningTrial:
    """A trial at work."""

    config: Mapping[str, Any]
    progress: Mapping[str, Any] = field(default_factory=dict)
    """Its last report, empty before the first."""

    @property
    def fraction(self) -> float:
        """Of its steps."""
        return self.progress["step"] / self.progress["total_steps"] if self.progress else 0.0


class Totals(Protocol):
    """What of a sweep changes while it runs, besides its trials."""

    @property
    def num_trials(self) -> int:
        """At most: the budget may end sooner, and a searcher may find its space exhausted."""

    @property
    def num_skipped(self) -> int:
        """Trials that were stopped before they began."""

    @property
    def train_s(self) -> float:
        """Seconds of training, of all processes that worked on the sweep."""


@dataclass
class CountedTotals:
    """Totals that somebody else counts."""

    num_trials: int = 0
    num_skipped: int = 0
    train_s: float = 0.0


class Board:
    """The state of a sweep while it runs; begins with what earlier processes left."""

    def __init__(
        self,
        sweep_id: str,
        directory: str,
        totals: Totals,
        earlier: Mapping[str, Ended],
        *,
        elapsed_s: float = 0.0,
    ) -> None:
        """Stand where the sweep stands.

        Args:
            sweep_id: of the sweep.
            directory: of the sweep.
            totals: read whenever the board is.
            earlier: trials that have ended already, by trial id.
            elapsed_s: how long the process that runs the sweep has been at it.
        """
        self.sweep_id, self.directory = sweep_id, directory
        self.earlier = earlier
        self.running: dict[str, RunningTrial] = {}
        """By trial id."""
        self.failed: dict[str, str] = {}
        """Reasons, by trial id."""
        self.measured = Coverage()
        self.num_since_growth = 0
        """Trials that finished since the front last grew."""
        self.totals = totals
        self._num: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        for trial_id, ended in earlier.items():
            self._count(trial_id, ended)
        self.hypervolume = self._hypervolume()
        """Of the files so far, in decades of bytes times quality, towards 1 GB at quality 0, the same for all sweeps.

        None before the first file, and where less quality is better: there is no worst then."""
        self._num_before, self._train_s_before = self.num_ended, totals.train_s
        self._began_s = time.monotonic() - elapsed_s

    def start(self, trial_id: str, config: Mapping[str, Any]) -> None:
        """A trial starts, or again."""
        self.failed.pop(trial_id, None)
        self.running[trial_id] = RunningTrial(config)

    def report(self, trial_id: str, progress: Mapping[str, Any]) -> None:
        """A running trial reports."""
        if trial_id in self.running:
            self.running[trial_id].progress = progress

    def end(self, trial_id: str, ended: Ended | None) -> None:
        """A trial runs no more; None where it did not end, and is tried again."""
        self.running.pop(trial_id, None)
        if ended is None:
            return
        self._count(trial_id, ended)
        if ended.outcome is Outcome.FINISHED:
            before, self.hypervolume = self.hypervolume or 0.0, self._hypervolume()
            has_grown = self.hypervolume is not None and self.hypervolume > before
            self.num_since_growth = 0 if has_grown else self.num_since_growth + 1

    def num(self, outcome: Outcome) -> int:
        """Trials that ended so; of stopped ones also those that never began."""
        return self._num[outcome] + (self.totals.num_skipped if outcome is Outcome.STOPPED else 0)

    @property
    def num_ended(self) -> int:
        return sum(map(self.num, Outcome))

    @property
    def num_trials(self) -> int:
        """At most."""
        return self.totals.num_trials

    @property
    def elapsed_s(self) -> float:
        """Since this process began with the trials."""
        return time.monotonic() - self._began_s

    @property
    def trials_per_s(self) -> float | None:
        """What runs counts by the share of its steps; None before the first report."""
        done = self.num_ended - self._num_before + self._num_running
        return done / self.elapsed_s if done else None

    @property
    def left_s(self) -> float | None:
        """How long the rest takes at the pace so far; None where there is none yet."""
        pace = self.trials_per_s
        if pace is None:
            return None
        return max(self.num_trials - self.num_ended - self._num_running, 0.0) / pace

    @property
    def _num_running(self) -> float:
        """By the share of their steps."""
        return sum(trial.fraction for trial in list(self.running.values()))  # a view reads it in a thread of its own

    @property
    def training_at_once(self) -> float:
        """Seconds of training in each second."""
        return (self.totals.train_s - self._train_s_before) / max(self.elapsed_s, 1e-9)

    def _hypervolume(self) -> float | None:
        point = self.measured.any_point
        if point is None or not point.maximise:
            return None
        return self.measured.hypervolume(_CORNER)

    def _count(self, trial_id: str, ended: Ended) -> None:
        self._num[ended.outcome] += 1
        if ended.outcome is Outcome.FAILED:
            self.failed[trial_id] = ended.reason
        elif ended.outcome is Outcome.FINISHED:
            self.measured.add(ended.points)
