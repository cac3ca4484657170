"""How a sweep stands after a run, and the exit code that says so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from orchestrator.reports.frontier import WrittenFrontier


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """How a sweep stands after a run."""

    sweep_id: str
    num_trials: int
    num_finished: int
    num_failed: int
    num_stopped: int
    """Trials that the scheduler stopped."""
    frontier: WrittenFrontier | None
    """None where no trial finished, or MLflow did not answer."""
    directory: str
    """The sweep's folder; an address where the storage is one."""
    spent: str = ""
    """Which limit of the budget kept trials from starting."""
    full: str = ""
    """What a full disk refused, where that ended the run."""
    unpublished: str = ""
    """Why MLflow does not hold everything, where that is so."""
    unreported: str = ""
    """Why it holds no report, where that is so and it holds the rest."""
    num_unlogged: int = 0
    """Finished trials that MLflow does not hold, as their files are missing or changed; ``damage`` says which."""
    damage: Sequence[str] = ()
    """What was found damaged meanwhile, in a line for each file."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """Pages of MLflow's UI, by what they show; none where its address is not known."""
    ui_command: str = ""
    """The command that opens them, where the address is not known."""

    @property
    def interrupted(self) -> bool:
        """Whether trials are left that neither a limit of the budget nor a full disk kept from starting."""
        is_left = self.num_finished + self.num_failed + self.num_stopped < self.num_trials
        return is_left and not self.spent and not self.full

    @property
    def summary(self) -> str:
        """How the trials ended, in one line."""
        stopped = f", {self.num_stopped} stopped early" if self.num_stopped else ""
        failed = f", {self.num_failed} failed" if self.num_failed else ""
        return f"sweep {self.sweep_id}: {self.num_finished} of {self.num_trials} trials finished{stopped}{failed}"

    @property
    def exit_code(self) -> int:
        """The exit code of the command that ran the sweep."""
        return exit_code_of(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Plain data; ``frontier`` has a row for each configuration on the front."""
        front: list[dict[str, Any]] = []
        if self.frontier is not None:
            configurations = self.frontier.configurations
            front = json.loads(configurations[configurations["on_front"]].to_json(orient="records"))
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        said = {"summary": self.summary, "interrupted": self.interrupted}
        return {**own, "frontier": front, **said}


def exit_code_of(result: Mapping[str, Any]) -> int:
    """The exit code that says how a sweep stands, wherever it ran.

    It is 130 after an interrupt; 1 where a trial failed, none finished, the disk is full or MLflow does not hold
    everything; else 0.

    Args:
        result: what ``SweepResult.to_dict`` gave, perhaps read from a log.
    """
    if result["interrupted"]:
        return 130
    is_whole = not any(result.get(name) for name in ("unpublished", "num_failed", "num_unlogged", "full"))
    return 0 if is_whole and result["num_finished"] else 1
