"""The checkpoint of a training: written atomically, of tensors and plain data only, so that reading it runs no code."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.record import write_atomically


@dataclass(kw_only=True)
class Position:
    """How far a training is, between two steps."""

    phase: int = 0
    """The index of the phase that runs."""
    step: int = 0
    """The next step of the plan. A phase that stops early leaves a gap."""
    num_steps: int = 0
    """The optimiser steps taken."""
    stopped: bool = False
    """Whether the phase was stopped early."""
    train_s: float = 0.0
    """The seconds of all decisions and steps."""
    loss_sum: float = 0.0
    """The sum of the losses since the last report."""
    loss_steps: int = 0
    """The steps since the last report."""
    decisions: list[Any] = field(default_factory=list)
    """What each phase decided, for all phases that have begun."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a training is resumed from."""

    config: str
    """The trial's configuration as JSON."""
    position: Position
    model: dict[str, Tensor]
    optimisers: list[dict[str, Any]]
    schedules: list[dict[str, Any]]


class CheckpointFile:
    """The file that holds a training's last checkpoint."""

    def __init__(self, path: Path, *, interval_s: float, saved: Callable[[float], None] = lambda train_s: None) -> None:
        """A new checkpoint is due after ``interval_s``; ``saved`` is called after each, with the seconds trained."""
        self._path, self._interval_s, self._saved = path, interval_s, saved
        self._last_save_s = time.monotonic()

    def load(self, config: str) -> Checkpoint | None:
        """The checkpoint, on the CPU; None if there is none.

        Raises:
            ValueError: it belongs to another configuration than ``config``.
        """
        if not self._path.exists():
            return None
        state = torch.load(self._path, map_location="cpu", weights_only=True)
        if state["config"] != config:
            raise ValueError(f"{self._path} belongs to another configuration: remove it, or give another directory")
        return Checkpoint(
            config=config,
            position=Position(**{one.name: state[one.name] for one in fields(Position) if one.name in state}),
            model=state["model"],
            optimisers=state["optimisers"],
            schedules=state["schedules"],
        )

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._last_save_s >= self._interval_s

    def save(self, checkpoint: Checkpoint) -> None:
        """Write ``checkpoint``; a kill leaves the old one or the new one."""
        buffer = io.BytesIO()
        torch.save(
            {
                "config": checkpoint.config,
                **vars(checkpoint.position),
                "model": checkpoint.model,
                "optimisers": checkpoint.optimisers,
                "schedules": checkpoint.schedules,
            },
            buffer,
        )
        write_atomically(self._path, buffer.getvalue())
        self._saved(checkpoint.position.train_s)
        self._last_save_s = time.monotonic()
