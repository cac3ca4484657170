"""One JSON object for each event, a line each, for machines."""

from __future__ import annotations

import contextlib
from typing import TextIO

from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent
from orchestrator.views.log import write_event


class JsonLinesView(AbstractView):
    """Writes the log that ``log.show_log`` reads; the command that runs the sweep adds ``SweepEnded``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def shown(self, board: Board) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def show(self, event: AbstractEvent, board: Board) -> None:
        write_event(event, self._stream)
