"""Sobol search: a scrambled sequence, which fills the space more evenly than independent draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from orchestrator.search.goals import Goals
from orchestrator.search.searchers.base import MOST_TRIALS, AbstractSearch, AbstractSearcher, FixedSearch
from orchestrator.search.searchers.random import MAX_DRAWS
from orchestrator.search.space import Configuration, Space, identity
from trainers import checks
from trainers.seeding import derive


@dataclass(frozen=True, kw_only=True)
class Sobol(AbstractSearcher):
    """Draws that fill the space evenly: ``num_trials`` different configurations, or as many as the space has.

    A larger ``num_trials`` only adds to the earlier configurations.

    Sources: Sobol 1967, "On the distribution of points in a cube"; Owen 1998, "Scrambling Sobol and
    Niederreiter-Xing points".
    """

    is_adaptive: ClassVar[bool] = False

    num_trials: int

    def __post_init__(self) -> None:
        checks.integer("num_trials", self.num_trials, low=1, high=MOST_TRIALS)

    def start(self, space: Space, goals: Goals, seed: int) -> AbstractSearch:
        return FixedSearch(self._configurations(space, seed))

    def _configurations(self, space: Space, seed: int) -> Iterator[Configuration]:
        from scipy.stats import qmc  # slow to import

        sequence = qmc.Sobol(space.num_fractions, rng=derive(seed, "search"))
        seen: set[str] = set()
        num_repeats = 0
        while len(seen) < self.num_trials and num_repeats < MAX_DRAWS:
            configuration = space.at(sequence.random(1)[0].tolist())
            if identity(configuration) in seen:
                num_repeats += 1
                continue
            num_repeats = 0
            seen.add(identity(configuration))
            yield configuration
