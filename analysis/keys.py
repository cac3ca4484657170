"""The columns that identify a configuration, and the name of the method that compresses nothing."""

from __future__ import annotations

KEY = ["sweep_id", "config_hash", "point_id"]
"""The columns that identify a configuration; its repeats share their values."""
REPEAT_KEY = [*KEY, "seed", "task_file"]
"""The columns that identify a point: a repeat of a configuration has a seed and, where files are repeats, a file."""
TRAINING_KEY = ["sweep_id", "config_hash"]
"""The columns that identify what one training had with each seed; it may have several points."""

REFERENCE_METHOD = "uncompressed"
"""The method whose networks compression starts from; figures draw their quality as a dashed line."""
