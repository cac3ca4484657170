"""How a sweep stands after a run, and the exit code that says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from orchestrator.reports.frontier import WrittenFrontier

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """How a sweep stands after a run."""

    sweep_id: str
    num_trials: int
    num_finished: int
    num_failed: int
    num_stopped: int
    """By the scheduler."""
    frontier: WrittenFrontier | None
    """None where no trial finished, or MLflow did not answer."""
    directory: str
    """Where everything is; an address where the storage is one."""
    spent: str = ""
    """Which limit of the budget kept trials from starting."""
    unpublished: str = ""
    """Why MLflow does not hold everything, where that is so."""
    unreported: str = ""
    """Why it holds no report, where that is so and it holds the rest."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """Of MLflow's UI, by what they show; none where its address is not known."""
    ui_command: str = ""
    """What opens them where it is not."""

    @property
    def interrupted(self) -> bool:
        return self.num_finished + self.num_failed + self.num_stopped < self.num_trials and not self.spent

    @property
    def summary(self) -> str:
        """One line."""
        stopped = f", {self.num_stopped} stopped early" if self.num_stopped else ""
        failed = f", {self.num_failed} failed" if self.num_failed else ""
        return f"sweep {self.sweep_id}: {self.num_finished} of {self.num_trials} trials finished{stopped}{failed}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data; ``frontier`` has a row for each configuration on the front."""
        front: list[dict[str, Any]] = []
        if self.frontier is not None:
            configurations = self.frontier.configurations
            front = json.loads(configurations[configurations["on_front"]].to_json(orient="records"))
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        said = {"summary": self.summary, "interrupted": self.interrupted}
        return {**own, "frontier": front, **said}


def exit_code(result: Mapping[str, Any]) -> int:
    """130 where it was interrupted, 1 where something failed or is missing, else 0."""
    if result["interrupted"]:
        return 130
    return 1 if result["unpublished"] or result["num_failed"] or not result["num_finished"] else 0
