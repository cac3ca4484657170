"""What a view is: told what happens, shown the board."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from orchestrator.storage.outcomes import Ended
from orchestrator.views.board import Board


class AbstractView:
    """A view that shows nothing; others override what they show."""

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        """While trials run."""
        yield

    def on_start(self, board: Board, trial_id: str) -> None:
        """A trial started."""

    def on_report(self, board: Board, trial_id: str) -> None:
        """A trial reported."""

    def on_end(self, board: Board, trial_id: str, ended: Ended) -> None:
        """A trial ended; the board has counted it."""
