"""Makes operating points for tests, and tells of the trial that they are of."""

from __future__ import annotations

from typing import Any

from trainers.record import OperatingPoint

_DEFAULTS: dict[str, Any] = {
    "sweep_id": "digits-0123abcd",
    "trial_id": "0000-epr-s0",
    "point_id": "point",
    "task": "digits",
    "architecture": "mlp(hidden=[64])",
    "method": "epr",
    "config_hash": "a",
    "seed": 0,
    "num_parameters": 4810,
    "macs": 4736,
    "num_steps": 2000,
    "train_s": 1.5,
    "size_bytes": 1000,
    "uncompressed_bytes": 19240,
    "quality": 0.95,
    "quality_val": 0.96,
    "quality_name": "accuracy",
    "maximise": True,
    "sha256": "ab" * 32,
    "path": "trials/0000-epr-s0/point.rfz",
}

CONFIG = {
    "task": {"name": "digits"},
    "architecture": {"name": "mlp", "hidden": [4]},
    "method": {"name": "epr", "lam": 0.5},
    "steps": 17,
    "batch_size": 64,
}
"""A trial, as the journal is told of it when it begins."""


def point(**changes: Any) -> OperatingPoint:
    """Make a point that differs from others by ``changes``."""
    return OperatingPoint(**{**_DEFAULTS, **changes})
