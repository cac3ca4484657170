"""What a sweep may spend; when it is spent, no further trial starts."""

from __future__ import annotations

from pydantic import Field

from orchestrator.sweep.section import YamlSection


class Budget(YamlSection):
    """The limits of a sweep; None means no limit.

    Trials that run when a limit is reached run to their end, and so does the one trial that Ray Tune requests ahead.
    """

    trials: int | None = Field(default=None, ge=1)
    """Number of trials that may start; a trial that was cut off and goes on is not counted again."""
    train_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds of training, summed over all trials."""
    gpu_h: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """GPU hours, summed over all trials: each trial's hours of training times its share of GPUs."""
    wall_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds since the sweep started or was resumed."""

    @property
    def is_set(self) -> bool:
        """Whether there is any limit."""
        return bool(self.model_dump(exclude_none=True))
