"""A sweep's log of events, one JSON object a line: written where the sweep runs, read and shown elsewhere."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TextIO

from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.broadcast import Broadcast
from orchestrator.views.events import (
    AbstractEvent,
    AbstractTrialEvent,
    SweepEnded,
    SweepStarted,
    TrialFound,
    from_dict,
)


def write_event(event: AbstractEvent, stream: TextIO) -> None:
    """Write one line, at once."""
    stream.write(json.dumps(event.to_dict(), allow_nan=False) + "\n")
    stream.flush()


class JsonLinesView(AbstractView):
    """Writes the log that ``show_log`` reads; whoever runs the sweep adds ``SweepEnded``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def shown(self, board: Board) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def show(self, event: AbstractEvent, board: Board) -> None:
        write_event(event, self._stream)


def read_events(lines: Iterable[str], *, otherwise: Callable[[str], None]) -> Iterator[AbstractEvent]:
    """The events of a log, as they come.

    Args:
        lines: with or without their ends.
        otherwise: is given each line that is no event, such as a message of an interpreter or a scheduler.
    """
    for line in lines:
        text = line.rstrip("\n")
        event = _parse(text)
        if event is not None:
            yield event
        elif text.strip():
            otherwise(text)


def last_result(events: Iterable[AbstractEvent]) -> Mapping[str, Any] | None:
    """The result in the last ``SweepEnded``; None where the sweep has not ended, or has started again since."""
    result = None
    for event in events:
        if isinstance(event, SweepEnded):
            result = event.result
        elif isinstance(event, SweepStarted):
            result = None
    return result


def show_log(lines: Iterable[str], view: AbstractView, *, otherwise: Callable[[str], None]) -> Mapping[str, Any] | None:
    """Show a sweep that runs elsewhere as its log grows; returns ``last_result``.

    A resumed sweep starts several times in one log; each of these runs is shown as a sweep of its own.

    Args:
        lines: with or without their ends.
        view: shows the sweep.
        otherwise: is given each line that is no event.
    """
    return last_result(_shown(read_events(lines, otherwise=otherwise), view))


def _shown(events: Iterator[AbstractEvent], view: AbstractView) -> Iterator[AbstractEvent]:
    """Show each run of the sweep; yields the events before, between and after the runs' own."""
    event = next(events, None)
    while event is not None:
        yield event
        event = _show_run(event, events, view) if isinstance(event, SweepStarted) else next(events, None)


def _show_run(started: SweepStarted, events: Iterator[AbstractEvent], view: AbstractView) -> AbstractEvent | None:
    """Show one run of the sweep; returns the first event after it."""
    found: list[TrialFound] = []
    event = next(events, None)
    while isinstance(event, TrialFound):
        found.append(event)
        event = next(events, None)
    board = Board(
        started.sweep_id,
        started.directory,
        started.totals,
        {trial.trial_id: trial.ended for trial in found},
        elapsed_s=max(time.time() - started.at_s, 0.0),
    )
    broadcast = Broadcast(board, [view])
    with broadcast.shown([started, *found]):
        while isinstance(event, AbstractTrialEvent):
            broadcast.tell(event)
            event = next(events, None)
    return event


def _parse(line: str) -> AbstractEvent | None:
    """The event in a line; None where there is none."""
    if not line.startswith('{"event": '):
        return None
    try:
        return from_dict(json.loads(line))
    except (ValueError, KeyError, TypeError):  # cut off by a kill, or written by somebody else
        return None
