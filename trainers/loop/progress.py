"""What a training reports while it runs, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainers.config import TrialConfig
from trainers.tasks.base import Task

_MOST_REPORTS = 50


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One report of a trial while it trains: estimates for curves and early stopping, never plotted as points."""

    step: int
    total_steps: int
    epoch: float
    phase: str
    train_loss: float
    """The mean over the steps since the last report, in the loss's unit."""
    rate_bits: float
    rate_comparable: bool
    quality_val: float
    quality_name: str
    maximise: bool
    """The direction of ``quality_val``."""
    train_s: float


def steps_per_epoch(config: TrialConfig, task: Task) -> int:
    """The batches of one epoch; the last, partial one is left out."""
    return max(1, len(task.train) // config.batch_size)


def report_interval(config: TrialConfig, task: Task) -> int:
    """The steps between two reports: whole epochs, as few as keep the number of reports at fifty or below."""
    num_epochs = math.ceil(config.steps / steps_per_epoch(config, task))
    return steps_per_epoch(config, task) * math.ceil(num_epochs / _MOST_REPORTS)
