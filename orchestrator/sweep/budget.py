"""What a sweep may spend, and what it has spent: once it has, no further trial starts."""

from __future__ import annotations

from pydantic import Field

from orchestrator.sweep.section import YamlSection


class Budget(YamlSection):
    """Limits of a sweep; None where there is none.

    What runs when one is reached runs to its end, and so does the one trial that Ray Tune asks for ahead.
    """

    trials: int | None = Field(default=None, ge=1)
    """Trials that start; one that was cut off and goes on is no new one."""
    train_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds of training, of all trials together."""
    gpu_h: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Hours of training times the share of GPUs that each trial has."""
    wall_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds since the sweep started or was resumed."""

    @property
    def is_set(self) -> bool:
        """Whether there is any limit."""
        return bool(self.model_dump(exclude_none=True))
