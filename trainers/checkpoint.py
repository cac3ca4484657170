"""Atomic checkpoints that hold tensors and plain data only, so that reading one runs no code."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from trainers.record import write_atomically


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, strings, lists, dicts); a kill leaves the old checkpoint or the new one."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def load(path: Path) -> dict[str, Any] | None:
    """Read what ``save`` wrote, onto the CPU; None if there is no checkpoint."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
