"""What identifies a configuration, and the method that compresses nothing."""

from __future__ import annotations

KEY = ["sweep_id", "config_hash", "point_id"]
"""Identifies a configuration: repeats over seeds share it."""


REFERENCE_METHOD = "uncompressed"
"""What compression starts from: figures draw its quality as a dashed line."""
