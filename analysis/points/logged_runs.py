"""Runs as plain data, whether MLflow or its database was asked, and what may be asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One active run in MLflow."""

    run_id: str
    experiment_id: str
    status: str
    start_time: int
    """Milliseconds since 1970, UTC."""
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    """In the order in which they were logged."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The last value of each."""


@dataclass(frozen=True, slots=True)
class LoggedExperiment:
    """One active experiment in MLflow, and the names of its tags."""

    name: str
    tags: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Which runs are meant: those for which all of it holds."""

    tags: Mapping[str, str | None]
    """Values by name; None stands for any."""
    status: str | None = None

    def of_sweep(self, sweep_id: str) -> Condition:
        """Return the condition that holds of the runs of one sweep only."""
        return Condition(tags={**self.tags, "ratefront.sweep_id": sweep_id}, status=self.status)


class RunReader(Protocol):
    """What a tracking store is asked, over all its active experiments."""

    def experiments(self) -> dict[str, LoggedExperiment]:
        """Return the active experiments by their ids."""

    def runs(self, condition: Condition, tags: Collection[str], *, measured: bool = False) -> list[LoggedRun]:
        """Return the active runs that meet ``condition``, oldest first.

        Args:
            condition: which runs.
            tags: the tags that are needed; there may be others.
            measured: whether parameters and metrics are needed as well.
        """
