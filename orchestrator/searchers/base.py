"""What a searcher is: settings that start a search, and a search that is asked and told."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.space import Configuration, Space


class AbstractSearch(abc.ABC):
    """A search under way. Its state follows from what it was asked and told, so that replaying both restores it."""

    @abc.abstractmethod
    def ask(self) -> Configuration | None:
        """The next configuration to try, or None when there are no more."""

    @abc.abstractmethod
    def tell(self, configuration: Configuration, outcome: Mapping[str, float]) -> None:
        """Say what ``configuration`` gave, by column of ``OperatingPoint``; empty when it failed."""


@dataclass(frozen=True, kw_only=True)
class AbstractSearcher(abc.ABC):
    """The settings of a search: its fields are what ``search:`` of a sweep may say."""

    @abc.abstractmethod
    def start(self, space: Space, seed: int) -> AbstractSearch:
        """A search at its beginning; the same configurations for the same space and seed."""


class FixedSearch(AbstractSearch):
    """Configurations that depend on no outcome."""

    def __init__(self, configurations: Iterator[Configuration]) -> None:
        self._configurations = configurations

    def ask(self) -> Configuration | None:
        return next(self._configurations, None)

    def tell(self, configuration: Configuration, outcome: Mapping[str, float]) -> None:
        pass
