"""Independent draws from the space."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.searchers.base import AbstractSearch, AbstractSearcher, FixedSearch
from orchestrator.space import Configuration, Space, identity
from trainers import checks
from trainers.seeding import derive

_MAX_DRAWS = 1000
"""For one new configuration; a space that gives none in so many draws counts as exhausted."""


@dataclass(frozen=True, kw_only=True)
class Random(AbstractSearcher):
    """``num_trials`` different configurations, fewer when the space has fewer; more only add to the earlier ones."""

    num_trials: int

    def __post_init__(self) -> None:
        checks.integer("num_trials", self.num_trials, low=1)

    def start(self, space: Space, seed: int) -> AbstractSearch:
        return FixedSearch(self._configurations(space, seed))

    def _configurations(self, space: Space, seed: int) -> Iterator[Configuration]:
        seen: set[str] = set()
        for index in range(self.num_trials):
            generator = random.Random(derive(seed, "search", index))
            draws = (space.draw(generator) for _ in range(_MAX_DRAWS))
            configuration = next((draw for draw in draws if identity(draw) not in seen), None)
            if configuration is None:
                return
            seen.add(identity(configuration))
            yield configuration
