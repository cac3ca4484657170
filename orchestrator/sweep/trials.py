"""The trials of a sweep, one for each configuration and seed, and a check of them before any runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import SweepError
from orchestrator.search.space import Configuration
from orchestrator.sweep.definition import Sweep
from trainers.config import TrialConfig
from trainers.paths import Path

if TYPE_CHECKING:
    from trainers.methods.base import RateKnob


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training of a sweep."""

    trial_id: str
    """The configuration's number, the method and the seed, such as ``0007-epr-s1``."""
    config: TrialConfig


def trials_of(
    sweep: Sweep, configurations: Sequence[Configuration], *, first_number: int = 0, seeds_together: bool = True
) -> list[Trial]:
    """One trial for each configuration and seed.

    Args:
        sweep: gives the seeds.
        configurations: what to try.
        first_number: the number of the first configuration.
        seeds_together: order the trials configuration by configuration, else seed by seed.

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
                trial_id=f"{number:04d}-{configuration['method']['name']}-s{seed}",
                config=TrialConfig.from_dict({**configuration, "seed": seed}),
            )
            for (number, configuration), seed in pairs
        ]
    except ValueError as error:
        raise SweepError(str(error)) from error


def _check_stretches(config: TrialConfig, knob: RateKnob | None) -> None:
    """Refuse a path with a value for which there is no step: its file would be the one before, under another name."""
    value = config.method.arguments.get(knob.field) if knob is not None else None
    if knob is not None and isinstance(value, Mapping):
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
