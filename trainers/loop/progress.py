"""What a training reports while it runs, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainers.config import TrialConfig
from trainers.training_settings import steps_per_epoch

_MOST_JUDGED = 50
_LEAST_REPORTS = 10


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
    is_judged: bool = True
    """Whether the phase and the scheduler are asked to stop here. The reports that only make a short training visible
    are not: a verdict depends on whole epochs alone."""


def judged_interval(config: TrialConfig, num_train: int) -> int:
    """The steps between two judged reports: whole epochs, as few as keep the number of these at fifty or below."""
    an_epoch = steps_per_epoch(num_train, config.batch_size)
    num_epochs = math.ceil(config.steps / an_epoch)
    return an_epoch * max(1, math.ceil(num_epochs / _MOST_JUDGED))


def report_steps(config: TrialConfig, num_train: int) -> list[int]:
    """The steps after which a training reports: the judged ones, and tenths of the training where these are too few.

    At least ten, or all where there are fewer: none without a step. The ends of phases come on top.
    """
    judged = {*range(0, config.steps, judged_interval(config, num_train)), config.steps}
    if len(judged) < _LEAST_REPORTS:
        judged |= {math.ceil(config.steps * tenth / _LEAST_REPORTS) for tenth in range(1, _LEAST_REPORTS)}
    return sorted(judged - {0})
