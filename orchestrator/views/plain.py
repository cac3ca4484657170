"""One line for each trial that ended."""

from __future__ import annotations

import contextlib

from rich.console import Console
from rich.markup import escape

from analysis.units import format_size
from orchestrator.storage.journal import Outcome
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent, TrialEnded


class PlainView(AbstractView):
    """For files and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def shown(self, board: Board) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def show(self, event: AbstractEvent, board: Board) -> None:
        print_ended(event, board, self._console)


def print_ended(event: AbstractEvent, board: Board, console: Console) -> None:
    """Print a line where the event is that a trial ended."""
    if isinstance(event, TrialEnded):
        count = f"{board.num_ended:{len(str(board.num_trials))}}/{board.num_trials}"
        console.print(f"{count} {_line(event)}", highlight=False, soft_wrap=True)


def _line(event: TrialEnded) -> str:
    trial_id = escape(event.trial_id)
    if event.outcome is Outcome.STOPPED:
        return f"{trial_id}  stopped: {escape(event.reason)}"
    if event.outcome is Outcome.FAILED:
        return f"[red]{trial_id}  failed: {escape(event.reason)}[/red]"
    point = min(event.points, key=lambda point: point.size_bytes)
    more = f" (and {len(event.points) - 1} more)" if len(event.points) > 1 else ""
    return (
        f"{trial_id}  {escape(point.architecture)}  {format_size(point.size_bytes)}  "
        f"{point.quality_name}_val {point.quality_val:.4f}  {point.train_s:.1f} s{more}{_oddity(event)}"
    )


def _oddity(event: TrialEnded) -> str:
    """What to look at twice in the trial's files; empty for most."""
    for point in event.points:
        if point.is_constant:
            return f"  [red]{escape(point.point_id)}: its outputs are the same whatever its inputs[/red]"
    for point in event.points:
        if point.zero_weights:
            return f"  [yellow]{escape(point.point_id)}: a layer is all zero: {escape(point.zero_weights)}[/yellow]"
    return ""
