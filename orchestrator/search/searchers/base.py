"""What a searcher is: settings that start a search, and a search that is asked and told."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from orchestrator.search.goals import Goals, Told
from orchestrator.search.space import Configuration, Space


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A configuration to try."""

    configuration: Configuration
    memo: dict[str, Any] = field(default_factory=dict)
    """Plain data of the searcher's own, which restores the search together with the configuration."""


class AbstractSearch(abc.ABC):
    """A search under way. What it was asked and told, in order, is all of its state.

    Configurations are numbered from zero, as they are asked for or restored.
    """

    @abc.abstractmethod
    def ask(self) -> Asked | None:
        """The next configuration to try, or None when there are no more."""

    @abc.abstractmethod
    def restore(self, asked: Asked) -> None:
        """Take ``asked`` as asked for, as it was in an earlier process."""

    @abc.abstractmethod
    def tell(self, number: int, told: Told | None) -> None:
        """What configuration ``number`` came to; None when it failed. Each is told once."""

    @abc.abstractmethod
    def tell_foreign(self, configuration: Configuration, told: Told) -> bool:
        """What an earlier sweep measured; whether that is of use, because it lies in this search's space."""


@dataclass(frozen=True, kw_only=True)
class AbstractSearcher(abc.ABC):
    """The settings of a search: its fields are what ``search:`` of a sweep may say."""

    is_adaptive: ClassVar[bool]
    """Whether what is told changes what is asked. If not, the plan is fixed before anything runs."""

    @property
    def earlier_sweeps(self) -> Sequence[str]:
        """By name or id: those whose outcomes are heard first."""
        return ()

    @abc.abstractmethod
    def start(self, space: Space, goals: Goals, seed: int) -> AbstractSearch:
        """A search at its beginning; the same configurations for the same arguments, in answer to the same tells."""


class FixedSearch(AbstractSearch):
    """Configurations that depend on no outcome."""

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
