"""One line for each trial that ended."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from analysis.units import format_size
from orchestrator.storage.outcomes import Ended, Outcome
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board


class PlainView(AbstractView):
    """For files and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_end(self, board: Board, trial_id: str, ended: Ended) -> None:
        self._console.print(
            f"{board.num_ended:{len(str(board.num_trials))}}/{board.num_trials} {_line(trial_id, ended)}",
            highlight=False,
            soft_wrap=True,
        )


def _line(trial_id: str, ended: Ended) -> str:
    if ended.outcome is Outcome.STOPPED:
        return f"{escape(trial_id)}  stopped: {escape(ended.reason)}"
    if ended.outcome is Outcome.FAILED:
        return f"[red]{escape(trial_id)}  failed: {escape(ended.reason)}[/red]"
    point = min(ended.points, key=lambda point: point.size_bytes)
    more = f" (and {len(ended.points) - 1} more)" if len(ended.points) > 1 else ""
    return (
        f"{escape(trial_id)}  {escape(point.architecture)}  {format_size(point.size_bytes)}  "
        f"{point.quality_name}_val {point.quality_val:.4f}  {point.train_s:.1f} s{more}"
    )
