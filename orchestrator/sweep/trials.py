"""The trials of a sweep, one for each configuration, seed and file in turn, and a check of them before any runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import SweepError
from orchestrator.search.space import Configuration
from orchestrator.sweep.definition import Sweep
from trainers.config import EACH, Spec, TrialConfig, in_turn, is_in_turn
from trainers.path_label import is_aim
from trainers.paths import Path

if TYPE_CHECKING:
    from trainers.methods.base import RateKnob


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training of a sweep."""

    trial_id: str
    """The configuration's number, the method and the seed, such as ``0007-epr-s1``; ``0007-epr-s1-f2`` where files are
    repeats as well."""
    config: TrialConfig


def trials_of(
    sweep: Sweep, configurations: Sequence[Configuration], *, first_number: int = 0, seeds_together: bool = True
) -> list[Trial]:
    """One trial for each configuration, seed and file in turn.

    Args:
        sweep: gives the seeds, and the files that its task has in turn.
        configurations: what to try.
        first_number: the number of the first configuration.
        seeds_together: order the trials configuration by configuration, else seed by seed; files always come together,
            since a configuration without all of them is on no frontier.

    Raises:
        SweepError: a configuration's settings do not go together; one line says why.
    """
    numbered = list(enumerate(configurations, start=first_number))
    seeds = range(sweep.seed, sweep.seed + sweep.seeds)
    by_seed = ((one, seed) for seed in seeds for one in numbered)
    pairs = itertools.product(numbered, seeds) if seeds_together else by_seed
    try:
        return [
            Trial(
                trial_id=f"{number:04d}-{configuration['method']['name']}-s{seed}{ending}",
                config=TrialConfig.from_dict({**configuration, **own, "seed": seed}),
            )
            for (number, configuration), seed in pairs
            for ending, own in _with_files(Spec.from_dict("task", configuration["task"]))
        ]
    except ValueError as error:
        raise SweepError(str(error)) from error


Repeat = tuple[int, str]
"""What tells the trials of a configuration apart: the seed, and the file in turn, mostly none."""


def taken_apart(config: Mapping[str, Any]) -> tuple[Configuration, Repeat]:
    """The configuration and the repeat of a trial, whose ``TrialConfig`` is given as plain data."""
    each, task = config.get("each", {}), config["task"]
    rest = {key: item for key, item in config.items() if key not in ("seed", "each")}
    return {**rest, "task": {**task, **in_turn(each)}}, (config["seed"], "".join(task[name] for name in each))


def repeats_of(sweep: Sweep) -> list[Repeat]:
    """The repeats of each configuration."""
    seeds = range(sweep.seed, sweep.seed + sweep.seeds)
    files = [file for some in sweep.files.values() for file in some] or [""]
    return list(itertools.product(seeds, files))


def first_of(sweep: Sweep, trial_id: str) -> str:
    """The id of the first repeat of a trial's configuration: schedulers judge that one."""
    ending, _, _ = next(files_in_turn(Spec.from_dict("task", sweep.task.to_dict())))
    return f"{trial_id.rpartition('-s')[0]}-s{sweep.seed}{ending}"


def files_in_turn(task: Spec) -> Iterator[tuple[str, Spec, str]]:
    """For each file that a task has in turn: the ending of its trials' ids, the task with it, the argument's name.

    Without such files this is the task alone, twice with nothing.
    """
    found = [(name, value[EACH]) for name, value in task.arguments.items() if is_in_turn(value)]
    if not found:
        yield "", task, ""
    for name, files in found:
        for number, file in enumerate(files):
            own = Spec(name=task.name, arguments={**task.arguments, name: file})
            yield f"-f{number:0{len(str(len(files) - 1))}d}", own, name


def _with_files(task: Spec) -> Iterator[tuple[str, dict[str, Any]]]:
    """The ending of the trial's id and the fields of its configuration, for each file that the task has in turn."""
    for ending, own, name in files_in_turn(task):
        yield ending, {"task": own.to_dict(), "each": {name: task.arguments[name][EACH]}} if name else {}


def _check_stretches(config: TrialConfig, knob: RateKnob | None) -> None:
    """Refuse a path with a value for which there is no step: its file would be the one before, under another name."""
    value = config.method.arguments.get(knob.field) if knob is not None else None
    if knob is not None and isinstance(value, Mapping) and not is_aim(value):
        least = min(stretch.share for stretch in Path.of(knob.field, value).stretches)
        if not config.epochs and least * config.steps < 1:
            raise ValueError(
                f"method {config.method.name!r}: {knob.field} has a path with a value for which none of "
                f"{config.steps} steps is left: wanted more steps, fewer values, or a single one"
            )


def check_trials(trials: Iterable[Trial]) -> None:
    """Make each method and set of modifiers once, so that a mistake in them is found before anything runs.

    Raises:
        SweepError: one cannot be made, the two do not go together, they need steps, or a training setting does not go
            with a method; one line says why.
    """
    from trainers.instantiate import check_settings, check_steps, make_method  # loads torch
    from trainers.modifiers import make_modifiers

    try:
        trials = list(trials)
        knobs = {
            name: make_method(spec).rate_knob
            for name, spec in {str(trial.config.method): trial.config.method for trial in trials}.items()
        }
        for trial in trials:
            check_settings(trial.config)
            check_steps(trial.config)
            _check_stretches(trial.config, knobs[str(trial.config.method)])
        sets = {(trial.config.method.name, str(trial.config.modifiers)): trial.config.modifiers for trial in trials}
        for (method, _), modifiers in sets.items():
            make_modifiers(modifiers, method=method)
    except ValueError as error:
        raise SweepError(str(error)) from error
