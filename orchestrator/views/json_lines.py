"""One JSON object for each thing that happens, a line each, for machines."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from orchestrator.storage.outcomes import Ended
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from trainers.record import to_row


class JsonLinesView(AbstractView):
    """Events ``sweep_started``, ``trial_found`` for each that had ended before, ``trial_started``, ``report``,
    ``trial_ended``; the command adds ``sweep_ended``.

    ``orchestrator.views.retold`` reads them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        self.write(
            "sweep_started",
            sweep_id=board.sweep_id,
            directory=board.directory,
            num_ended=board.num_ended,
            **_totals(board),
        )
        for trial_id, ended in board.earlier.items():
            self.write("trial_found", trial_id=trial_id, **_ended(ended))
        yield

    def on_start(self, board: Board, trial_id: str) -> None:
        self.write("trial_started", trial_id=trial_id, config=board.running[trial_id].config)

    def on_report(self, board: Board, trial_id: str) -> None:
        progress = board.running[trial_id].progress
        self.write("report", trial_id=trial_id, **progress)

    def on_end(self, board: Board, trial_id: str, ended: Ended) -> None:
        self.write(
            "trial_ended",
            trial_id=trial_id,
            **_ended(ended),
            num_ended=board.num_ended,
            hypervolume=board.hypervolume,
            **_totals(board),
        )

    def write(self, event: str, **content: Any) -> None:
        """One line; NaN and infinity, which JSON has not, are null."""
        line = {"event": event, "at_s": round(time.time(), 3), **content}
        self._stream.write(json.dumps(_finite(line), allow_nan=False) + "\n")
        self._stream.flush()


def _totals(board: Board) -> dict[str, Any]:
    totals = board.totals
    return {"num_trials": totals.num_trials, "num_skipped": totals.num_skipped, "train_s": totals.train_s}


def _ended(ended: Ended) -> dict[str, Any]:
    points = [to_row(point) for point in ended.points]
    return {"outcome": ended.outcome.value, "reason": ended.reason, "points": points}


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
