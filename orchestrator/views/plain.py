"""One line for each trial that ended, and for each file that a running one stored on its way."""

from __future__ import annotations

import contextlib

from rich.console import Console
from rich.markup import escape

from analysis.units import format_quality, format_size, quality_words
from orchestrator.storage.journal import Outcome
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent, PointsStored, TrialEnded
from trainers.record import OperatingPoint


class PlainView(AbstractView):
    """For files and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def shown(self, board: Board) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def show(self, event: AbstractEvent, board: Board) -> None:
        print_line(event, board, self._console)


def print_line(event: AbstractEvent, board: Board, console: Console) -> None:
    """Print a line where the event is that a trial ended, or that a running one stored files."""
    count = f"{board.num_ended:{len(str(board.num_trials))}}/{board.num_trials}"
    lines: list[str] = []
    if isinstance(event, TrialEnded):
        lines.append(_line(event))
    elif isinstance(event, PointsStored):
        where = escape(event.trial_id)
        lines += [f"{where} goes on, has {escape(point.point_id)}  {_measured(point)}" for point in event.points]
    for line in lines:
        console.print(f"{count} {line}", highlight=False, soft_wrap=True)


def _line(event: TrialEnded) -> str:
    trial_id = escape(event.trial_id)
    if event.outcome is Outcome.STOPPED:
        return f"{trial_id}  stopped: {escape(event.reason)}"
    if event.outcome is Outcome.FAILED:
        return f"[red]{trial_id}  failed: {escape(event.reason)}[/red]"
    point = min(event.points, key=lambda point: point.size_bytes)
    more = f" (and {len(event.points) - 1} more)" if len(event.points) > 1 else ""
    return f"{trial_id}  {escape(point.architecture)}  {_measured(point)}{more}{_oddity(event)}"


def _measured(point: OperatingPoint) -> str:
    if point.signal_count:
        quality = f"{quality_words(point.quality_name)} {format_quality(point.quality_val, point.quality_name)}"
    else:
        quality = f"{point.quality_name}_val {point.quality_val:.4f}"
    return f"{format_size(point.size_bytes)}  {quality}  {point.train_s:.1f} s"


def _oddity(event: TrialEnded) -> str:
    """What to look at twice in the trial's files; empty for most."""
    for point in event.points:
        if point.is_constant:
            return f"  [red]{escape(point.point_id)}: its outputs are the same whatever its inputs[/red]"
    for point in event.points:
        if point.zero_weights:
            return f"  [yellow]{escape(point.point_id)}: a layer is all zero: {escape(point.zero_weights)}[/yellow]"
    return ""
