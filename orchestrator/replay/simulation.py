"""Runs the real searchers and schedulers in simulated time; each training is looked up in a recorded sweep."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

from orchestrator.planning.study import Study
from orchestrator.replay.recording import RecordedSweep, RecordedTrial
from orchestrator.search.coverage import Coverage
from orchestrator.search.schedulers.verdicts import Verdicts
from orchestrator.storage.folder import MemoryFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import Trial, taken_apart


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How the front grew: the hypervolume on validation after each trial that finished."""

    cost_s: list[float]
    """Training seconds spent by then, on all workers."""
    hypervolume: list[float]

    def at(self, cost_s: float) -> float:
        """The hypervolume after ``cost_s``."""
        reached = [value for cost, value in zip(self.cost_s, self.hypervolume, strict=True) if cost <= cost_s + 1e-9]
        return reached[-1] if reached else 0.0

    def until(self, value: float) -> float | None:
        """The seconds until the hypervolume was ``value``; None where it never was."""
        costs = (cost for cost, found in zip(self.cost_s, self.hypervolume, strict=True) if found >= value - 1e-12)
        return next(costs, None)


@dataclass(order=True)
class _Running:
    """A training that is under way. Trainings are ordered by the time of their next report, or of their end."""

    at_s: float
    order: int
    started_s: float = field(compare=False)
    trial: Trial = field(compare=False)
    recorded: RecordedTrial = field(compare=False)
    next_report: int = field(compare=False, default=0)

    def schedule(self) -> None:
        rows = self.recorded.progress
        last = self.recorded.train_s
        self.at_s = self.started_s + (rows[self.next_report]["train_s"] if self.next_report < len(rows) else last)


def replay(recorded: RecordedSweep, sweep: Sweep, *, search_seed: int, num_workers: int) -> Curve:
    """Simulate one run of a sweep; returns its curve.

    Args:
        recorded: where trainings are looked up.
        sweep: the recorded one, with another search or scheduler.
        search_seed: the seed of the search alone; trainings keep the seeds they had.
        num_workers: how many trainings run at once.
    """
    journal = Journal(MemoryFolder())
    study = Study(sweep, journal, space=recorded.space, search_seed=search_seed)
    verdicts = Verdicts(sweep.make_scheduler(), sweep.seed)
    # a lucky first seed is not a front: a configuration counts once all its seeds are measured
    measured, reference = Coverage(least_repeats=sweep.num_repeats), recorded.reference()
    order = itertools.count()
    running: list[_Running] = []
    spent_s = now_s = 0.0
    curve = Curve(cost_s=[], hypervolume=[])
    ahead: Trial | None = study.next()  # Ray Tune always asks for one trial more than it can start
    while True:
        while len(running) < num_workers and ahead is not None:
            trial, ahead = ahead, study.next()
            looked_up = recorded.trial(*taken_apart(trial.config.to_dict()))
            started = _Running(now_s, next(order), now_s, trial, looked_up)
            started.schedule()
            heapq.heappush(running, started)
        if not running:
            curve.cost_s.append(spent_s)  # what was stopped last had a price, too
            curve.hypervolume.append(measured.hypervolume(reference))
            return curve
        one = heapq.heappop(running)
        now_s, trial_id = one.at_s, one.trial.trial_id
        reason = None
        if one.next_report < len(one.recorded.progress):
            row = one.recorded.progress[one.next_report]
            reason = verdicts.reason_to_stop(one.trial.config, row)
            if reason is None:
                one.next_report += 1
                one.schedule()
                heapq.heappush(running, one)
                continue
            journal.append_progress(trial_id, row)  # all that the study reads of a stopped trial
            journal.stop(trial_id, reason)
        else:
            journal.record(trial_id, one.recorded.ended)
        spent_s += now_s - one.started_s
        study.tell(trial_id)
        if reason is None:
            measured.add(one.recorded.ended.points)
            curve.cost_s.append(spent_s + sum(now_s - other.started_s for other in running))
            curve.hypervolume.append(measured.hypervolume(reference))


def whole_hypervolume(recorded: RecordedSweep) -> float:
    """The hypervolume of everything that was recorded."""
    measured = Coverage(least_repeats=recorded.sweep.num_repeats)
    measured.add(recorded.points())
    return measured.hypervolume(recorded.reference())
