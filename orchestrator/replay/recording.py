"""A sweep that ran, as a table of its trainings: what each reported, when, and how it ended."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.fronts.hypervolume import Reference
from analysis.fronts.pareto import nondominated
from orchestrator.errors import SweepError
from orchestrator.search.domains import AbstractDomain
from orchestrator.search.space import Configuration, Space, identity
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Ended, Journal, Outcome
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.file import load_sweep
from orchestrator.sweep.trials import Repeat, repeats_of, taken_apart
from trainers.record import OperatingPoint


@dataclass(frozen=True, kw_only=True)
class RecordedTrial:
    """One training that was recorded."""

    progress: list[dict[str, Any]]
    """Its reports, in order."""
    ended: Ended

    @property
    def train_s(self) -> float:
        """Seconds of training until its end."""
        return max(
            [row["train_s"] for row in self.progress] + [point.train_s for point in self.ended.points], default=0.0
        )


@dataclass(frozen=True, kw_only=True)
class RecordedSpace(Space):
    """A space that replaces each choice by the nearest configuration that was recorded."""

    recorded: tuple[Configuration, ...] = field(repr=False)

    def choose(self, choose: Callable[[str, AbstractDomain], Any]) -> Configuration:
        domains: dict[str, AbstractDomain] = {}

        def note(name: str, domain: AbstractDomain) -> Any:
            domains[name] = domain
            return choose(name, domain)

        wanted = self.locate(Space.choose(self, note))
        assert wanted is not None

        def distance(located: Mapping[str, Any]) -> tuple[bool, float]:
            shared = [name for name in domains if name in located]
            is_elsewhere = any(located.get(kind) != wanted.get(kind) for kind in self._alternatives)
            return is_elsewhere, math.hypot(*(domains[name].distance(wanted[name], located[name]) for name in shared))

        return min(self._located, key=lambda one: distance(one[1]))[0]

    @functools.cached_property
    def _located(self) -> list[tuple[Configuration, dict[str, Any]]]:
        located = [(configuration, self.locate(configuration)) for configuration in self.recorded]
        return [(configuration, where) for configuration, where in located if where is not None]

    def grid(self, num_values: int) -> Iterator[Configuration]:
        """Every configuration that was recorded."""
        yield from self.recorded


@dataclass(frozen=True, kw_only=True)
class RecordedSweep:
    """The trainings of a sweep that finished or failed."""

    sweep: Sweep
    configurations: tuple[Configuration, ...]
    """The configurations whose every repeat was recorded, in the order of the sweep."""
    trials: dict[tuple[str, Repeat], RecordedTrial]
    """The trainings by the ``identity`` of their configuration, and their repeat."""

    @staticmethod
    def load(folder: Path, *, damaged: Callable[[str], None] = lambda line: None) -> RecordedSweep:
        """Read the folder of a sweep.

        Args:
            folder: of the sweep.
            damaged: is told of each trial that cannot be read, in one line; the others are replayed.

        Raises:
            SweepError: ``folder`` is not that of a sweep, no configuration has run to its end, or none took a step.
        """
        if not (folder / "sweep.yaml").exists():
            raise SweepError(f"{folder} is not the folder of a sweep: wanted one with sweep.yaml and trials/")
        sweep, journal = load_sweep(folder / "sweep.yaml"), Journal(LocalFolder(folder))
        configurations: dict[str, Configuration] = {}
        trials: dict[tuple[str, Repeat], RecordedTrial] = {}
        for trial_id in journal.trial_ids():
            try:
                ended, config = journal.ended(trial_id), journal.config(trial_id)
            except DamagedError as error:
                damaged(str(error))
                continue
            if ended is None or config is None or ended.outcome is Outcome.STOPPED:
                continue
            configuration, repeat = taken_apart(config)
            configurations.setdefault(identity(configuration), configuration)
            trials[identity(configuration), repeat] = RecordedTrial(progress=journal.progress(trial_id), ended=ended)
        repeats = repeats_of(sweep)
        whole = [one for key, one in configurations.items() if all((key, repeat) in trials for repeat in repeats)]
        recorded = RecordedSweep(sweep=sweep, configurations=tuple(whole), trials=trials)
        if not recorded.points():
            raise SweepError(f"{folder} has no configuration of which every seed finished: nothing to replay")
        if not any(point.num_steps for point in recorded.points()):
            raise SweepError(
                f"{folder} took no steps: searches are compared by seconds of training, and there are none"
            )
        return recorded

    @property
    def space(self) -> RecordedSpace:
        shared = {name: getattr(self.sweep.space, name) for name in Space.__dataclass_fields__}
        return RecordedSpace(**shared, recorded=self.configurations)

    @property
    def train_s(self) -> float:
        """Seconds of training of all configurations."""
        return sum(self.trial(one, repeat).train_s for one in self.configurations for repeat in self._repeats)

    def trial(self, configuration: Configuration, repeat: Repeat) -> RecordedTrial:
        return self.trials[identity(configuration), repeat]

    def points(self) -> list[OperatingPoint]:
        """The points of all configurations."""
        ended = [self.trial(one, repeat).ended for one in self.configurations for repeat in self._repeats]
        return [point for one in ended for point in one.points]

    def reference(self) -> Reference:
        """The corner of the recorded front: a tenth of its range beyond its largest size and its worst quality."""
        points = self.points()
        front = nondominated(
            [point.size_bytes for point in points],
            [point.quality_val for point in points],
            maximise=points[0].maximise,
        )
        chosen = [point for point, is_on_front in zip(points, front, strict=True) if is_on_front]
        sizes, qualities = [point.size_bytes for point in chosen], [point.quality_val for point in chosen]
        margin = 0.1 * (max(qualities) - min(qualities)) or 0.01
        maximise = points[0].maximise
        return Reference(
            size_bytes=max(sizes) * (max(sizes) / min(sizes)) ** 0.1 + 1,
            quality=min(qualities) - margin if maximise else max(qualities) + margin,
            maximise=maximise,
        )

    @property
    def _repeats(self) -> list[Repeat]:
        return repeats_of(self.sweep)
