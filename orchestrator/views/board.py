"""The state of a running sweep: counts, what runs, what failed, what is left, the front so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from analysis.fronts.hypervolume import Reference
from orchestrator.search.coverage import Coverage
from orchestrator.storage.journal import Ended, Outcome
from trainers.record import OperatingPoint

_CORNER = Reference(size_bytes=1e9, quality=0.0, maximise=True)


@dataclass
class RunningTrial:
    """A trial at work."""

    config: Mapping[str, Any]
    progress: Mapping[str, Any] = field(default_factory=dict)
    """The trial's last report, empty before the first."""

    @property
    def fraction(self) -> float:
        """The share of the trial's steps that are done."""
        return self.progress["step"] / self.progress["total_steps"] if self.progress else 0.0


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Numbers of a whole sweep that do not follow from what its trials say while this process runs them."""

    num_trials: int
    """Trials there will be at most: the budget may end sooner, and a searcher may find its space exhausted."""
    num_skipped: int = 0
    """Trials that were stopped before they began."""
    train_s: float = 0.0
    """Seconds of training, summed over all processes that worked on the sweep."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in the order of the fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """The totals among the items of ``row``."""
        return cls(**{item.name: row[item.name] for item in fields(cls)})


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
        """Begin where the sweep stands.

        Args:
            sweep_id: the sweep's id.
            directory: the sweep's folder; an address where the storage is one.
            totals: as they are now; whoever knows better replaces them.
            earlier: trials that have ended already, by trial id.
            elapsed_s: how long the process that runs the sweep has been at it.
        """
        self.sweep_id, self.directory = sweep_id, directory
        self.earlier = earlier
        self.running: dict[str, RunningTrial] = {}
        """Running trials, by trial id."""
        self.failed: dict[str, str] = {}
        """Why trials failed, by trial id."""
        self.coverage = Coverage()
        """The points of all trials that ended, and those that running ones have stored on their way."""
        self._early: set[tuple[str, str]] = set()  # trial and point ids of the latter
        self.num_since_growth = 0
        """Trials that finished since the front last grew."""
        self.totals = totals
        self._num: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        for trial_id, ended in earlier.items():
            self._count(trial_id, ended)
        self.hypervolume = self._hypervolume()
        """What the files so far cover, in decades of bytes times quality, towards 1 GB at quality 0 for all sweeps.

        None before the first file, and where less quality is better: there is no worst then."""
        self._highest = self.hypervolume or 0.0  # a mean over seeds becomes worse with a worse seed
        self._num_before, self._train_s_before = self.num_ended, totals.train_s
        self._began_s = time.monotonic() - elapsed_s

    def start(self, trial_id: str, config: Mapping[str, Any]) -> None:
        """Note that a trial started, for the first time or again."""
        self.failed.pop(trial_id, None)
        self.running[trial_id] = RunningTrial(config)

    def report(self, trial_id: str, progress: Mapping[str, Any]) -> None:
        """Note what a running trial reported last."""
        if trial_id in self.running:
            self.running[trial_id].progress = progress

    def knows(self, trial_id: str, point_id: str) -> bool:
        """Whether ``store`` was told of the point."""
        return (trial_id, point_id) in self._early

    def store(self, trial_id: str, points: Sequence[OperatingPoint]) -> None:
        """Note what a running trial stored on its way, each point once."""
        self._early |= {(trial_id, point.point_id) for point in points}
        self.coverage.add(points)
        if self._has_grown():
            self.num_since_growth = 0

    def end(self, trial_id: str, ended: Ended | None) -> None:
        """Note that a trial no longer runs.

        ``ended`` is None where the trial did not end: it was interrupted, or is tried again.
        """
        self.running.pop(trial_id, None)
        if ended is None:
            return
        self._count(trial_id, ended)
        if ended.outcome is Outcome.FINISHED:
            self.num_since_growth = 0 if self._has_grown() else self.num_since_growth + 1

    def num(self, outcome: Outcome) -> int:
        """Trials with this outcome; the stopped ones include those that never began."""
        return self._num[outcome] + (self.totals.num_skipped if outcome is Outcome.STOPPED else 0)

    @property
    def num_ended(self) -> int:
        return sum(map(self.num, Outcome))

    @property
    def num_trials(self) -> int:
        """``Totals.num_trials``."""
        return self.totals.num_trials

    @property
    def elapsed_s(self) -> float:
        """Seconds since the process that runs the sweep began with the trials."""
        return time.monotonic() - self._began_s

    @property
    def trials_per_s(self) -> float | None:
        """The pace so far; a running trial counts by the share of its steps. None before the first report."""
        done = self.num_ended - self._num_before + self._num_running
        return done / self.elapsed_s if done else None

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest takes at the pace so far; None where there is no pace yet."""
        pace = self.trials_per_s
        if pace is None:
            return None
        return max(self.num_trials - self.num_ended - self._num_running, 0.0) / pace

    @property
    def _num_running(self) -> float:
        """Running trials, each counted by the share of its steps."""
        return sum(trial.fraction for trial in list(self.running.values()))  # a view reads it in a thread of its own

    @property
    def training_at_once(self) -> float:
        """Seconds of training in each second so far: how many trials train at once."""
        return (self.totals.train_s - self._train_s_before) / max(self.elapsed_s, 1e-9)

    def _has_grown(self) -> bool:
        """Measure the hypervolume anew, and say whether it was never as large."""
        self.hypervolume = self._hypervolume()
        before, self._highest = self._highest, max(self._highest, self.hypervolume or 0.0)
        return self._highest > before

    def _hypervolume(self) -> float | None:
        point = self.coverage.any_point
        if point is None or not point.maximise:
            return None
        return self.coverage.hypervolume(_CORNER)

    def _count(self, trial_id: str, ended: Ended) -> None:
        self._num[ended.outcome] += 1
        if ended.outcome is Outcome.FAILED:
            self.failed[trial_id] = ended.reason
        self.coverage.add(point for point in ended.points if not self.knows(trial_id, point.point_id))
