"""A sweep that runs elsewhere, shown here: what its lines of JSON say, told to a view."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from orchestrator.storage.outcomes import Ended, Outcome
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board, CountedTotals
from trainers.record import from_row


def retell(lines: Iterable[str], view: AbstractView, *, otherwise: Callable[[str], None]) -> dict[str, Any] | None:
    """Show what ``JsonLinesView`` wrote, as it comes.

    A sweep that was resumed has several beginnings in one log: each is shown as one of its own.

    Args:
        lines: with or without their ends.
        view: is told.
        otherwise: is given each line that is none of those, such as what an interpreter or a scheduler says.

    Returns:
        What the last ``sweep_ended`` says; None where the lines end before.
    """
    ended: dict[str, Any] | None = None
    events = _events(lines, otherwise)
    event = next(events, None)
    while event is not None:
        if event["event"] == "sweep_ended":
            ended = {key: item for key, item in event.items() if key not in ("event", "at_s")}
        if event["event"] == "sweep_started":
            ended = None
            event = _show(event, events, view)
        else:
            event = next(events, None)
    return ended


def _show(started: dict[str, Any], events: Iterator[dict[str, Any]], view: AbstractView) -> dict[str, Any] | None:
    """From one beginning to whatever no longer belongs to it, which is returned."""
    earlier: dict[str, Ended] = {}
    event = next(events, None)
    while event is not None and event["event"] == "trial_found":
        earlier[event["trial_id"]] = _ended(event)
        event = next(events, None)
    totals = CountedTotals()
    _read(started, totals)
    elapsed_s = max(time.time() - started["at_s"], 0.0)
    board = Board(started["sweep_id"], started["directory"], totals, earlier, elapsed_s=elapsed_s)
    with contextlib.ExitStack() as stack:
        stack.enter_context(view.shown(board))
        while event is not None and event["event"] not in ("sweep_started", "sweep_ended"):
            _tell(event, board, totals, view)
            event = next(events, None)
    return event


def _tell(event: dict[str, Any], board: Board, totals: CountedTotals, view: AbstractView) -> None:
    trial_id = event["trial_id"]
    if event["event"] == "trial_started":
        board.start(trial_id, event["config"])
        view.on_start(board, trial_id)
    elif event["event"] == "report":
        said = {key: item for key, item in event.items() if key not in ("event", "at_s", "trial_id")}
        board.report(trial_id, {key: math.nan if item is None else item for key, item in said.items()})
        view.on_report(board, trial_id)
    elif event["event"] == "trial_ended":
        _read(event, totals)
        ended = _ended(event)
        board.end(trial_id, ended)
        view.on_end(board, trial_id, ended)


def _read(event: Mapping[str, Any], totals: CountedTotals) -> None:
    totals.num_trials, totals.num_skipped = event["num_trials"], event["num_skipped"]
    totals.train_s = event["train_s"]


def _ended(event: Mapping[str, Any]) -> Ended:
    return Ended(
        outcome=Outcome(event["outcome"]),
        reason=event["reason"],
        points=tuple(from_row(point) for point in event["points"]),
    )


def _events(lines: Iterable[str], otherwise: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    for line in lines:
        text = line.rstrip("\n")
        event = _event(text)
        if event is not None:
            yield event
        elif text.strip():
            otherwise(text)


def _event(text: str) -> dict[str, Any] | None:
    if not text.startswith('{"event": '):
        return None
    try:
        event = json.loads(text)
    except json.JSONDecodeError:  # cut off by a kill
        return None
    return dict(event)
