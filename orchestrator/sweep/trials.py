"""The trials of a sweep, one for each configuration and seed, and a check of them before any runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.errors import SweepError
from orchestrator.search.space import Configuration
from orchestrator.sweep.definition import Sweep
from trainers.config import TrialConfig


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
    """
    numbered = list(enumerate(configurations, start=first_number))
    seeds = range(sweep.seed, sweep.seed + sweep.seeds)
    by_seed = ((one, seed) for seed in seeds for one in numbered)
    pairs = itertools.product(numbered, seeds) if seeds_together else by_seed
    return [
        Trial(
            trial_id=f"{number:04d}-{configuration['method']['name']}-s{seed}",
            config=TrialConfig.from_dict({**configuration, "seed": seed}),
        )
        for (number, configuration), seed in pairs
    ]


def check_trials(trials: Iterable[Trial]) -> None:
    """Make each method and set of modifiers once, so that a mistake in them is found before anything runs.

    Raises:
        SweepError: one cannot be made, or the two do not go together; one line says why.
    """
    from trainers.instantiate import make_method  # loads torch
    from trainers.modifiers import make_modifiers

    try:
        trials = list(trials)
        for spec in {str(trial.config.method): trial.config.method for trial in trials}.values():
            make_method(spec)
        sets = {(trial.config.method.name, str(trial.config.modifiers)): trial.config.modifiers for trial in trials}
        for (method, _), modifiers in sets.items():
            make_modifiers(modifiers, method=method)
    except ValueError as error:
        raise SweepError(str(error)) from error
