"""What a view is: something that shows a sweep while it runs."""

from __future__ import annotations

import abc
import contextlib

from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent


class AbstractView(abc.ABC):
    """Shows a sweep while it runs, here or elsewhere."""

    @abc.abstractmethod
    def shown(self, board: Board) -> contextlib.AbstractContextManager[None]:
        """A context in which the sweep is shown; events come only inside it."""

    @abc.abstractmethod
    def show(self, event: AbstractEvent, board: Board) -> None:
        """Show an event and the board, which the event has changed already."""
