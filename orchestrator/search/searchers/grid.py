"""Grid search: every combination of evenly spaced values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from orchestrator.search.goals import Goals
from orchestrator.search.searchers.base import MOST_TRIALS, AbstractSearch, AbstractSearcher, FixedSearch
from orchestrator.search.space import Configuration, Space, identity
from trainers import checks

_MOST_COMBINATIONS = 5 * MOST_TRIALS
"""Some may be the same configuration."""


@dataclass(frozen=True, kw_only=True)
class Grid(AbstractSearcher):
    """All values of each choice with ``num_values`` of each range; a configuration that occurs again is left out."""

    is_adaptive: ClassVar[bool] = False

    num_values: int = 6

    def __post_init__(self) -> None:
        checks.integer("num_values", self.num_values, low=1, high=MOST_TRIALS)

    def start(self, space: Space, goals: Goals, seed: int) -> AbstractSearch:
        return FixedSearch(self._configurations(space))

    def _configurations(self, space: Space) -> Iterator[Configuration]:
        seen: set[str] = set()
        for index, configuration in enumerate(space.grid(self.num_values)):
            if index == _MOST_COMBINATIONS:
                raise ValueError(
                    f"the grid has more than {_MOST_COMBINATIONS} combinations: wanted fewer values, or search "
                    "'random', 'sobol' or 'tpe' with num_trials"
                )
            if identity(configuration) not in seen:
                seen.add(identity(configuration))
                yield configuration
