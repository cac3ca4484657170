"""The checkpoints of a training: two files in turn, each written atomically with a checksum.

They hold tensors and plain data only, so that reading one runs no code.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.full_disk import why_full
from trainers.lookup import one_line
from trainers.record import write_atomically

_FIRST_LINE = b"ratefront checkpoint sha256 "
"""How a file begins: this, the digest of all that follows the line, and a line break."""
_ZIP = b"PK"
"""How a file of before checksums begins: as ``torch.save`` wrote it."""


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
    points: list[dict[str, Any]] = field(default_factory=list)
    """The rows of the operating points that phases stored at their ends."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a training is resumed from."""

    config: str
    """The trial's configuration as JSON."""
    position: Position
    model: dict[str, Tensor]
    optimisers: list[dict[str, Any]]
    schedules: list[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)
    """What the trial's training settings keep beside them, such as moving averages."""


class CheckpointFile:
    """The two files that hold a training's last checkpoint and the one before: where one is damaged, the other is not.

    A checkpoint replaces the older of the two.
    """

    def __init__(
        self,
        path: Path,
        *,
        interval_s: float,
        saved: Callable[[float], None] = lambda train_s: None,
        damaged: Callable[[str], None] = lambda line: None,
    ) -> None:
        """A new checkpoint is due after ``interval_s``.

        Args:
            path: the first file; ``paths_of`` names the other.
            interval_s: seconds between two checkpoints.
            saved: is called after each, with the seconds trained.
            damaged: is told of each file that is set aside, in one line, and once where the disk has no space for one.
        """
        self._older, self._newer = paths_of(path)
        self._interval_s, self._saved, self._damaged = interval_s, saved, damaged
        self._last_save_s = time.monotonic()
        self._is_full = False

    def load(self, config: str) -> Checkpoint | None:
        """The last checkpoint that is whole, on the CPU; None if there is none.

        A damaged file is set aside, under its name with ``.damaged``.

        Raises:
            ValueError: a checkpoint belongs to another configuration than ``config``.
        """
        found: dict[Path, Checkpoint] = {}
        for path in (self._older, self._newer):
            try:
                found[path] = _read(path.read_bytes())
            except FileNotFoundError:
                continue
            except _DamagedError as error:
                path.replace(path.with_name(f"{path.name}.damaged"))
                self._damaged(
                    f"{path} is damaged ({error}): it is set aside as {path.name}.damaged, and the training goes on "
                    "from the checkpoint before, or begins anew"
                )
                continue
            if found[path].config != config:
                raise ValueError(f"{path} belongs to another configuration: remove it, or give another directory")
        if not found:
            return None
        last = max(found, key=lambda path: (found[path].position.phase, found[path].position.step))
        if last == self._older:
            self._older, self._newer = self._newer, self._older
        return found[last]

    def give_up(self, why: str) -> None:
        """Say why the training begins anew, though there is a checkpoint."""
        self._damaged(f"{why}: the training begins anew")

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._last_save_s >= self._interval_s

    def save(self, checkpoint: Checkpoint) -> None:
        """Write ``checkpoint`` in place of the older one; a kill leaves the two that were there, or the new one.

        On a full disk the two stay as well, and the training goes on: a checkpoint is there in case of a kill.
        """
        buffer = io.BytesIO()
        torch.save(
            {
                "config": checkpoint.config,
                **vars(checkpoint.position),
                "model": checkpoint.model,
                "optimisers": checkpoint.optimisers,
                "schedules": checkpoint.schedules,
                **({"settings": checkpoint.settings} if checkpoint.settings else {}),
            },
            buffer,
        )
        content = buffer.getvalue()
        try:
            write_atomically(self._older, _FIRST_LINE + hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        except OSError as error:
            self._say_full(error)
        else:
            self._older, self._newer = self._newer, self._older
        self._saved(checkpoint.position.train_s)
        self._last_save_s = time.monotonic()

    def _say_full(self, error: OSError) -> None:
        """Say once that there is no space for checkpoints; raise what means something else."""
        why = why_full(error)
        if not why:
            raise error
        if not self._is_full:
            self._damaged(f"no checkpoint was written ({why}): the training went on without it")
        self._is_full = True


def paths_of(path: Path) -> tuple[Path, Path]:
    """The files of the checkpoints whose first file is ``path``."""
    return path, path.with_stem(f"{path.stem}-2")


class _DamagedError(Exception):
    """A file is no checkpoint, or no longer what was written."""


def _read(content: bytes) -> Checkpoint:
    """The checkpoint that a file of this content holds.

    Raises:
        _DamagedError: says what is wrong with it.
    """
    if content.startswith(_FIRST_LINE):
        first_line, _, content = content.partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != first_line.removeprefix(_FIRST_LINE):
            raise _DamagedError("its content does not have its checksum")
    elif not content.startswith(_ZIP):
        raise _DamagedError("it does not begin as a checkpoint")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return Checkpoint(
            config=state["config"],
            position=Position(**{one.name: state[one.name] for one in fields(Position) if one.name in state}),
            model=state["model"],
            optimisers=state["optimisers"],
            schedules=state["schedules"],
            settings=state.get("settings", {}),
        )
    except MemoryError:
        raise
    except Exception as error:  # torch raises many kinds
        raise _DamagedError(f"{type(error).__name__}: {one_line(error)}") from error
