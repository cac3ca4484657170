"""What a searcher is: settings that start a search, which is asked for configurations and told how they did."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from orchestrator.search.goals import Goals, Told
from orchestrator.search.space import Configuration, Space

MOST_TRIALS = 20_000
"""The most trials of a sweep: more would take a driver minutes to plan, and nobody to run."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A configuration to try."""

    configuration: Configuration
    memo: dict[str, Any] = field(default_factory=dict)
    """Plain data of the searcher's own; with the configuration it restores the search."""


class AbstractSearch(abc.ABC):
    """A search under way. Its whole state is what it was asked and told, in order.

    Configurations are numbered from zero, in the order in which they are asked for or restored.
    """

    @abc.abstractmethod
    def ask(self) -> Asked | None:
        """The next configuration to try, or None when there are no more."""

    @abc.abstractmethod
    def restore(self, asked: Asked) -> None:
        """Take ``asked`` as asked for, because an earlier process asked for it."""

    @abc.abstractmethod
    def tell(self, number: int, told: Told | None) -> None:
        """Say how configuration ``number`` did; None means that it failed. Each is told once."""

    @abc.abstractmethod
    def tell_foreign(self, configuration: Configuration, told: Told) -> bool:
        """Say what an earlier sweep measured; returns whether it lies in this search's space and so is of use."""


@dataclass(frozen=True, kw_only=True)
class AbstractSearcher(abc.ABC):
    """The settings of a search; its fields are what a sweep's ``search:`` may say."""

    is_adaptive: ClassVar[bool]
    """Whether what the search is told changes what it proposes. If not, the plan is fixed before anything runs."""

    @property
    def earlier_sweeps(self) -> Sequence[str]:
        """Names or ids of the sweeps whose results the search is told before it starts."""
        return ()

    @abc.abstractmethod
    def start(self, space: Space, goals: Goals, seed: int) -> AbstractSearch:
        """A new search. The same arguments, and the same results told, give the same configurations."""


class FixedSearch(AbstractSearch):
    """A search whose configurations depend on no result."""

    def __init__(self, configurations: Iterator[Configuration]) -> None:
        self._configurations = configurations

    def ask(self) -> Asked | None:
        configuration = next(self._configurations, None)
        return None if configuration is None else Asked(configuration=configuration)

    def restore(self, asked: Asked) -> None:
        next(self._configurations, None)

    def tell(self, number: int, told: Told | None) -> None:
        pass

    def tell_foreign(self, configuration: Configuration, told: Told) -> bool:
        return False
