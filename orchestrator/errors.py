"""The error that the orchestrator raises for a user's mistake in a sweep or a call."""

from __future__ import annotations


class SweepError(ValueError):
    """A mistake in a sweep; its message is one line for the sweep's author."""
