"""A picture on the terminal that follows the sweep: progress, pace, what runs and what failed, the frontier so far."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from analysis.frontier.text_plot import frontier_text
from analysis.units import format_quality, format_size, quality_words
from orchestrator.storage.journal import Outcome
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board, RunningTrial
from orchestrator.views.events import AbstractEvent
from orchestrator.views.plain import print_line
from orchestrator.views.printable import Printable
from trainers.record import OperatingPoint

_MOST_RUNNING, _MOST_FAILED = 6, 3
_PLOT_WIDTH, _PLOT_HEIGHT = 64, 8
_REDRAWS_PER_S = 4


class LiveView(AbstractView):
    """For a terminal: a line for each trial that ended, above a picture of the board."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._picture: RenderableType = Text()
        self._next_s = 0.0

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        self._redraw(board)
        with Live(
            get_renderable=lambda: Printable(
                Group(bar(board), self._picture)
            ),  # in a thread: what it reads is replaced whole
            console=self._console,
            refresh_per_second=_REDRAWS_PER_S,
            transient=True,
            redirect_stdout=False,
        ):
            yield

    def show(self, event: AbstractEvent, board: Board) -> None:
        print_line(event, board, self._console)
        self._redraw(board)

    def _redraw(self, board: Board) -> None:
        """Draw anew, unless that would take more than a twentieth of the time: thousands of files are slow to draw."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._picture = picture(board)
        self._next_s = now_s + 20 * (time.monotonic() - now_s)


def picture(board: Board) -> RenderableType:
    """The board as it stands, without its bar."""
    parts: list[RenderableType] = [Text(_counts(board), overflow="ellipsis", no_wrap=True)]
    if board.running:
        parts += [Text(), _running(board)]
    if board.failed:
        parts += [Text(), *_failures(board)]
    if (point := board.coverage.any_point) is not None:
        lines = frontier_text(
            board.coverage.size_bytes,
            board.coverage.quality_val,
            quality_name=point.quality_name,
            maximise=point.maximise,
            width=_PLOT_WIDTH,
            height=_PLOT_HEIGHT,
        )
        parts += [Text(), Text(f"{_heading(point)} of the files so far"), Text("\n".join(lines))]
    return Group(*parts)


def _heading(point: OperatingPoint) -> str:
    if point.signal_count:
        return f"fitted {quality_words(point.quality_name)}"
    return f"{point.quality_name} on validation"


def bar(board: Board) -> RenderableType:
    """How far the sweep is, with its clock."""
    left_s = board.left_s
    line = Table.grid(padding=(0, 1))
    line.add_row(
        Text(board.sweep_id, style="bold"),
        ProgressBar(total=board.num_trials, completed=board.num_ended, width=30),
        Text(f"{board.num_ended}/{board.num_trials}"),
        Text(f"{_clock(board.elapsed_s)} so far, {'-' if left_s is None else _clock(left_s)} left", style="cyan"),
    )
    return line


def _counts(board: Board) -> str:
    """``28 finished, 2 failed; 31 trials a minute, 1.9 s of training each second; hypervolume 2.31, ...``."""
    named = ((Outcome.FINISHED, "finished"), (Outcome.STOPPED, "stopped early"), (Outcome.FAILED, "failed"))
    counted = [f"{board.num(outcome)} {name}" for outcome, name in named if board.num(outcome)]
    parts = [", ".join(counted) or "nothing ended yet"]
    pace = board.trials_per_s
    if pace is not None:
        unit, per = ("minute", 60) if pace * 60 >= 1 else ("hour", 3600)
        parts.append(f"{pace * per:.3g} trials a {unit}, {board.training_at_once:.1f} s of training each second")
    covered = board.hypervolume
    if covered is not None:
        parts.append(f"hypervolume {covered:.3f}, {_growth(board.num_since_growth)}")
    return "; ".join(parts)


def _growth(num_since: int) -> str:
    return "just grown" if num_since == 0 else f"last grown {num_since} trial{'s' * (num_since > 1)} ago"


def _running(board: Board) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("running", "architecture", "step", "phase", "estimate", "validation"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for trial_id, trial in islice(board.running.items(), _MOST_RUNNING):
        table.add_row(trial_id, _architecture(trial.config), *_report(trial))
    if len(board.running) > _MOST_RUNNING:
        table.add_row(f"and {len(board.running) - _MOST_RUNNING} more")
    return table


def _report(trial: RunningTrial) -> tuple[str, ...]:
    row = trial.progress
    if not row:
        epochs = trial.config.get("epochs")
        return (f"0/{epochs:g} epochs" if epochs else f"0/{trial.config['steps']:,}", "", "", "")
    rate = format_size(row["rate_bits"] / 8) if row["rate_comparable"] else "-"
    quality = format_quality(row["quality_val"], row["quality_name"])
    return (f"{row['step']:,}/{row['total_steps']:,}", row["phase"], rate, quality)


def _failures(board: Board) -> Iterator[Text]:
    """The last ones, in red."""
    for trial_id, reason in list(board.failed.items())[-_MOST_FAILED:]:
        yield Text(f"{trial_id} failed: {reason}", style="red", overflow="ellipsis", no_wrap=True)


def _architecture(config: Any) -> str:
    from trainers.config import Spec

    return str(Spec.from_dict("architecture", config["architecture"]))


def _clock(seconds: float) -> str:
    """``0:01:05``."""
    return str(timedelta(seconds=round(seconds)))
