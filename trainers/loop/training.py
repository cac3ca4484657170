"""What one training is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainers.config import TrialConfig
from trainers.loop.progress import Progress
from trainers.methods.base import AbstractMethod, Context
from trainers.modifiers.base import Modification
from trainers.tasks.base import Task


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one training is given, apart from the network and the checkpoint."""

    config: TrialConfig
    task: Task
    method: AbstractMethod
    context: Context
    modifications: Sequence[Modification]
    report: Callable[[Progress], None]
    """Called with each report."""
