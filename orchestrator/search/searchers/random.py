"""Random search: independent draws from the space."""

from __future__ import annotations

import random
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import ClassVar

from orchestrator.search.goals import Goals
from orchestrator.search.searchers.base import MOST_TRIALS, AbstractSearch, AbstractSearcher, FixedSearch
from orchestrator.search.space import Configuration, Space, identity
from trainers import checks
from trainers.seeding import derive

MAX_DRAWS = 1000
"""A space that gives no new configuration in so many draws counts as exhausted."""


@dataclass(frozen=True, kw_only=True)
class Random(AbstractSearcher):
    """Independent draws: ``num_trials`` different configurations, or as many as the space has.

    A larger ``num_trials`` only adds to the earlier configurations.
    """

    is_adaptive: ClassVar[bool] = False

    num_trials: int

    def __post_init__(self) -> None:
        checks.integer("num_trials", self.num_trials, low=1, high=MOST_TRIALS)

    def start(self, space: Space, goals: Goals, seed: int) -> AbstractSearch:
        return FixedSearch(self._configurations(space, seed))

    def _configurations(self, space: Space, seed: int) -> Iterator[Configuration]:
        seen: set[str] = set()
        for index in range(self.num_trials):
            configuration = draw_unseen(space, seen, derive(seed, "search", index))
            if configuration is None:
                return
            seen.add(identity(configuration))
            yield configuration


def draw_unseen(space: Space, seen: Container[str], seed: int) -> Configuration | None:
    """A uniform draw whose ``identity`` is not ``seen``; None where the space seems exhausted.

    Uses ``random()`` only, the one draw that Python promises never to change.
    """
    generator = random.Random(seed)
    draws = (space.at(iter(generator.random, None)) for _ in range(MAX_DRAWS))
    return next((draw for draw in draws if identity(draw) not in seen), None)
