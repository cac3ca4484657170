"""The error of the orchestrator: a mistake in a sweep or its call, in one line for its author."""

from __future__ import annotations


class SweepError(ValueError):
    """A mistake in a sweep, in one line for its author."""
