"""Says how far the writing or the reading of a file is: a large one takes minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trainers.coding.sections import Entry

Show = Callable[[float], None]
"""Is called with the share that is done, rising to 1."""


def unseen(share: float) -> None:
    """Show nothing."""


class Meter:
    """Adds up the values of the tensors that are done."""

    def __init__(self, show: Show, entries: Iterable[Entry], *, passes: int) -> None:
        """``passes``: how often each of ``entries`` is done."""
        self._show, self._done = show, 0
        self._total = passes * sum(entry.num_values for entry in entries)

    def add(self, entries: Iterable[Entry]) -> None:
        """``entries`` are done once more."""
        self._done += sum(entry.num_values for entry in entries)
        self._show(self._done / self._total if self._total else 1.0)
