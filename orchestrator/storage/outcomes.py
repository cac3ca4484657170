"""How a trial ended: its outcome, and the record of it."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field

from trainers.record import OperatingPoint


class Outcome(enum.Enum):
    """How a trial ended."""

    FINISHED = "finished"
    """Every operating point is on disk and was measured."""
    FAILED = "failed"
    """It raised, diverged or died; ``reason`` says why. A resumed sweep tries it again."""
    STOPPED = "stopped"
    """The scheduler saw no promise in it; ``reason`` says why. It has no points, and is not tried again."""


OUT_OF_MEMORY = "out of memory: "
"""The reason of a trial that found too little memory begins so."""
DIVERGED = "diverged: "
"""The reason of a trial whose training left the finite numbers begins so."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The record of a trial that has ended."""

    outcome: Outcome
    reason: str = ""
    details: str = ""
    """The traceback, where there was one."""
    points: tuple[OperatingPoint, ...] = ()
    ended_at_s: float = field(default_factory=time.time)
    """Seconds since 1970, UTC."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do for the trial: it finished or was stopped."""
        return self.outcome is not Outcome.FAILED
