"""Asks a sweep's searcher for configurations, hands out their trials, and tells the searcher what came of them.

A search that is fixed in advance needs no record: its plan is made again. What an adaptive searcher was asked and told
is appended to ``<sweep>/study.jsonl``, in order; reading it restores the searcher, so that a resumed sweep goes on.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.errors import SweepError
from orchestrator.search.goals import Told, told_from_dict, told_to_dict
from orchestrator.search.schedulers.verdicts import FOLLOWS
from orchestrator.search.searchers.base import MOST_TRIALS, Asked
from orchestrator.search.space import Configuration, Space
from orchestrator.storage.bucket import join
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.folder import MemoryFolder
from orchestrator.storage.journal import Journal, Outcome
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import Trial, check_trials, first_of, trials_of
from trainers.echo import echo
from trainers.record import OperatingPoint

Foreign = tuple[Configuration, Told]
"""A configuration of an earlier sweep, and what was observed of it."""


class Study:
    """The trials of a sweep: those that are known, and those that an adaptive searcher has still to propose."""

    def __init__(
        self,
        sweep: Sweep,
        journal: Journal,
        *,
        space: Space | None = None,
        search_seed: int | None = None,
    ) -> None:
        """Restore what an earlier process asked and told.

        Args:
            sweep: what to run.
            journal: of the sweep; nothing is written before ``begin`` and ``next``.
            space: what is searched; default: the sweep's own space.
            search_seed: seed of the searcher; default: the sweep's own, with which its first trainings run as well.

        Raises:
            SweepError: a trial cannot be made, or the record on disk is not one that this sweep wrote.
        """
        self.sweep, self._journal = sweep, journal
        self._goals, self._searcher = sweep.goals, sweep.make_searcher()
        seed = sweep.seed if search_seed is None else search_seed
        self._search = self._searcher.start(space or sweep.space, self._goals, seed)
        self._configurations: list[Configuration] = []
        self._made: tuple[int, list[Trial]] = (0, [])  # the trials of so many of the configurations
        self._told: dict[int, Told | None] = {}
        self._foreign: list[Told] = []
        self._exhausted = False
        self.num_skipped = 0
        """Trials that were stopped before they began, as ``next`` found."""
        self._pending: collections.deque[Trial] = collections.deque()
        if not self._searcher.is_adaptive:
            self._ask_for_all()
        else:
            _check_number(sweep, sweep.search["num_trials"])
            self._replay()
        self._pending.extend(self.trials)
        check_trials(self.sample)

    def begin(self, foreign: Sequence[Foreign]) -> None:
        """Prepare for ``next``: tell the searcher of earlier sweeps, and of trials whose end a kill kept from it.

        The caller holds the sweep: nobody else may write to its record.

        Args:
            foreign: of earlier sweeps; the searcher is told where this sweep is at its beginning.
        """
        if not self._searcher.is_adaptive:
            return
        if not self._configurations and not self._foreign:
            heard = [(configuration, told) for configuration, told in foreign if self._hear(configuration, told)]
            if heard:  # in one line: after a kill between two lines the rest would never be heard
                pairs = [[configuration, told_to_dict(told)] for configuration, told in heard]
                self._journal.append_study({"foreign": pairs})
        for number in range(len(self._configurations)):
            self._tell_where_over(number, only_finished=True)

    @property
    def trials(self) -> list[Trial]:
        """The trials that are known so far, in the order in which they run.

        A search that is fixed in advance has all configurations with the first seed first: an interrupted sweep then
        shows a whole frontier already. An adaptive searcher waits for all seeds of a configuration, so these come
        together.
        """
        if self._made[0] != len(self._configurations):
            made = trials_of(self.sweep, self._configurations, seeds_together=self._searcher.is_adaptive)
            self._made = len(self._configurations), made
        return list(self._made[1])

    @property
    def sample(self) -> list[Trial]:
        """Trials to check before any runs: all of them, or of an adaptive search some at the ends of its space."""
        return trials_of(self.sweep, list(_ends(self.sweep))) if self._searcher.is_adaptive else self.trials

    @property
    def most_trials(self) -> int:
        """How many trials there will be; an adaptive searcher may find its space exhausted sooner."""
        asked = len(self._configurations)
        return self.sweep.num_repeats * (asked if self._exhausted else max(asked, self.sweep.search["num_trials"]))

    @property
    def most_to_run(self) -> int:
        """``most_trials``, as far as a budget of trials goes."""
        limit = self.sweep.budget.trials
        return self.most_trials if limit is None else min(self.most_trials, limit)

    def next(self) -> Trial | None:
        """The next trial that is not over, or None when there are no more. Each is handed out once."""
        while True:
            while self._pending:
                trial = self._pending.popleft()
                if self._journal.is_over(trial.trial_id):
                    continue
                if not self._is_stopped(trial):
                    return trial
                self._journal.begin(trial.trial_id, trial.config.to_dict(), {})
                self._journal.stop(trial.trial_id, FOLLOWS)
                self.num_skipped += 1
                self.tell(trial.trial_id)
            if self._exhausted:
                return None
            self._ask()

    def _ask_for_all(self) -> None:
        try:
            while (asked := self._search.ask()) is not None:
                self._configurations.append(asked.configuration)
                _check_number(self.sweep, len(self._configurations))
        except ValueError as error:
            raise SweepError(str(error)) from error
        self._exhausted = True

    def tell(self, trial_id: str) -> None:
        """A trial has ended. Once all repeats of its configuration have, the searcher is told, once."""
        if self._searcher.is_adaptive:
            self._tell_where_over(_number_of(trial_id), only_finished=False)

    def _ask(self) -> None:
        asked = self._search.ask()
        if asked is None:
            self._exhausted = True
            self._journal.append_study({"exhausted": len(self._configurations)})
            return
        number = len(self._configurations)
        self._journal.append_study({"ask": number, "configuration": asked.configuration, "memo": asked.memo})
        self._configurations.append(asked.configuration)
        self._pending.extend(self._seeds(number))

    def _tell_where_over(self, number: int, *, only_finished: bool) -> None:
        if number in self._told:
            return
        seeds: list[tuple[OperatingPoint, ...]] = []
        for trial in self._seeds(number):
            ended = self._journal.ended(trial.trial_id)
            if ended is None or (only_finished and ended.outcome is Outcome.FAILED):
                return
            seeds.append(ended.points)
        known = [*self._foreign, *(told for told in self._told.values() if told is not None)]
        # a mean over the seeds that were done before the first was stopped would be one over lucky seeds
        is_stopped = self._is_stopped(self._seeds(number)[0])
        told = self._told_of_stopped(number, seeds[0], known) if is_stopped else self._told_of(seeds, known)
        self._journal.append_study({"tell": number, "told": told_to_dict(told)})
        self._search.tell(number, told)
        self._told[number] = told

    def _told_of(self, repeats: Sequence[tuple[OperatingPoint, ...]], known: Sequence[Told]) -> Told | None:
        """What a configuration came to, over its repeats; over files, of the points that it has with all of them."""
        if self.sweep.files:
            shared = set.intersection(*({point.point_id for point in points} for points in repeats))
            repeats = [tuple(point for point in points if point.point_id in shared) for points in repeats]
        return self._goals.told(repeats, known)

    def _told_of_stopped(self, number: int, points: tuple[OperatingPoint, ...], known: Sequence[Told]) -> Told | None:
        """What the first seed of a stopped configuration stored on its path, else what it would have come to.

        That is by its last report; None where it made none, and where files are repeats: one file says nothing of what
        others were told, which are means over all.
        """
        if self.sweep.files:
            return None
        if points:
            return self._goals.told([points], known)
        progress = self._journal.progress(self._seeds(number)[0].trial_id)
        return self._goals.estimated(progress[-1]) if progress else None

    def _is_stopped(self, trial: Trial) -> bool:
        """Whether the first repeat of the trial's configuration was stopped, which decides for all of them."""
        ended = self._journal.ended(first_of(self.sweep, trial.trial_id))
        return ended is not None and ended.outcome is Outcome.STOPPED

    def _seeds(self, number: int) -> list[Trial]:
        return trials_of(self.sweep, [self._configurations[number]], first_number=number)

    def _hear(self, configuration: Configuration, told: Told) -> bool:
        is_of_use = self._search.tell_foreign(configuration, told)
        if is_of_use:
            self._foreign.append(told)
        return is_of_use

    def _replay(self) -> None:
        for number, line in enumerate(self._journal.study(), start=1):
            try:
                is_known = self._replay_line(line)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise self._damaged(number, line) from error
            if not is_known:
                raise self._damaged(number, line)

    def _replay_line(self, line: dict[str, Any]) -> bool:
        """Do what the line says was done; returns whether it says something that may come next."""
        told = told_from_dict(line.get("told"))
        if "foreign" in line:
            for configuration, outcome in line["foreign"]:
                heard = told_from_dict(outcome)
                if heard is None:  # failures are not heard of
                    return False
                self._hear(configuration, heard)
        elif line.get("ask") == len(self._configurations):
            self._search.restore(Asked(configuration=dict(line["configuration"]), memo=line["memo"]))
            self._configurations.append(line["configuration"])
        elif line.get("tell") in range(len(self._configurations)) and line["tell"] not in self._told:
            self._search.tell(line["tell"], told)
            self._told[line["tell"]] = told
        else:
            self._exhausted = "exhausted" in line
            return self._exhausted
        return True

    def _damaged(self, number: int, line: dict[str, Any]) -> DamagedError:
        path = join(self._journal.location, "study.jsonl")
        return DamagedError(f"{path}, line {number}, is damaged at {echo(line)}: --new starts another sweep")


def _check_number(sweep: Sweep, num_configurations: int) -> None:
    if num_configurations * sweep.num_repeats > MOST_TRIALS:
        each = f"{sweep.seeds} seeds" if not sweep.files else f"{sweep.num_repeats} seeds and files"
        raise SweepError(
            f"the sweep has {num_configurations} configurations or more with {each} each: wanted "
            f"{MOST_TRIALS} trials at most"
        )


def plan(sweep: Sweep) -> list[Trial]:
    """The trials of a search that is fixed in advance, checked; none of an adaptive search, before it runs.

    Raises:
        SweepError: a trial cannot be made; says why.
    """
    return Study(sweep, Journal(MemoryFolder())).trials


def _ends(sweep: Sweep) -> Iterator[Configuration]:
    """Configurations at the ends of the ranges, at most 32 for each branch of the space."""
    for branch in sweep.space.branches():
        yield from itertools.islice(branch.grid(2), _MOST_CHECKED)


_MOST_CHECKED = 32


def _number_of(trial_id: str) -> int:
    """The number of a trial's configuration."""
    return int(trial_id.partition("-")[0])
