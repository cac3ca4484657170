"""No early stopping: every training runs to its end."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.search.schedulers.base import AbstractJudge, AbstractScheduler, Contestant, Observation


@dataclass(frozen=True, kw_only=True)
class NoScheduler(AbstractScheduler):
    """Stops no training."""

    def start(self) -> AbstractJudge:
        return _Judge()


class _Judge(AbstractJudge):
    def stops(self, contestant: Contestant, observation: Observation) -> str | None:
        return None
