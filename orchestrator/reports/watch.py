"""A frontier that follows running sweeps: it is drawn again when a trial ends, until the sweeps end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from analysis.signals import is_fitted, split_of
from analysis.units import format_quality, format_size
from orchestrator.reports.frontier import WrittenFrontier, print_frontier

if TYPE_CHECKING:
    import pandas as pd

INTERVAL_S = 10.0
_STATES = ("finished", "stopped", "failed", "running")
_LINES_BESIDE = 10
"""Lines of the terminal kept free for everything but the table's rows."""


@dataclass(frozen=True, kw_only=True)
class SweepStatus:
    """How far the watched sweeps are, taken together."""

    is_running: bool
    """Whether any of them still runs."""
    counts: tuple[int, ...]
    """Numbers of trials by state, in the order of ``_STATES``."""
    num_points: int

    @staticmethod
    def of(sweeps: pd.DataFrame) -> SweepStatus:
        """The status in a table of ``analysis.points.mlflow.list_sweeps``."""
        return SweepStatus(
            is_running=bool((sweeps["status"] == "RUNNING").any()),
            counts=tuple(int(sweeps[f"num_{name}"].sum()) for name in _STATES),
            num_points=int(sweeps["num_points"].sum()),
        )

    @property
    def text(self) -> str:
        """``12 finished, 1 failed, 3 running``."""
        told = [f"{count} {name}" for count, name in zip(self.counts, _STATES, strict=True) if count]
        return ", ".join(told) or "no trial has started"


def watch(
    look: Callable[[], pd.DataFrame],
    draw: Callable[[], WrittenFrontier | None],
    console: Console,
    *,
    interval_s: float = INTERVAL_S,
    sleep: Callable[[float], None] = time.sleep,
) -> WrittenFrontier | None:
    """Show a frontier until no sweep runs; returns what was drawn last. A store that goes away is tried again.

    A terminal shows a picture, redrawn in place; elsewhere each change is a line. Whatever ends the watching,
    Ctrl-C included, the table is printed last.

    Args:
        look: reads how far the sweeps are, as ``analysis.points.mlflow.list_sweeps`` does.
        draw: writes the figures; None where nothing has finished.
        console: to print to.
        interval_s: seconds between two looks; more where drawing takes longer, so that drawing takes at most half of
            the time.
        sleep: waits for that many seconds.

    Raises:
        ValueError: from ``look`` and ``draw``.
        ConnectionError: the store does not answer at the first look.
    """
    before: SweepStatus | None = None
    written: WrittenFrontier | None = None
    last = ""
    try:
        with _shown(console) as show:
            while True:
                started_s = time.monotonic()
                try:
                    now = SweepStatus.of(look())  # read before the points, so that no point of an ended sweep is missed
                    if before is None or _drawn(now) != _drawn(before):
                        written = draw()
                    before, line = now, _line(now, written)
                except ConnectionError as error:
                    if before is None:
                        raise
                    now, line = before, f"{error}; trying again"
                if line != last:
                    show(line, written)
                    last = line
                if not now.is_running:
                    return written
                sleep(max(interval_s, time.monotonic() - started_s))
    finally:
        if written is not None:
            print_frontier(written.configurations, written.folder, console)


def _drawn(status: SweepStatus) -> tuple[int, int]:
    """The numbers on which a figure depends: those of points and of failed seeds."""
    return status.num_points, status.counts[_STATES.index("failed")]


def _line(status: SweepStatus, written: WrittenFrontier | None) -> str:
    """``12 finished, 3 running; 5 on the frontier, 240 B to 4.10 kB, the best with test accuracy 97.20 %``."""
    if written is None:
        waiting = "waiting" if status.is_running else "and no sweep is running"
        return f"{status.text}; no finished point yet, {waiting}"
    configurations = written.configurations
    front = configurations[configurations["on_front"]]
    parts = [status.text, f"{len(front)} on the frontier"]
    if len(front):
        sizes, name = front["file_size_bytes"], str(front["quality_name"].iloc[0])
        best = format_quality(front["file_quality"].iloc[-1], name)  # the last by mean size: validation's best
        split, smallest, largest = split_of(name, fitted=is_fitted(front)), sizes.min(), sizes.max()
        parts[1] += f", {format_size(smallest)} to {format_size(largest)}, the best with {split} {name} {best}"
    return "; ".join([*parts, *([] if status.is_running else ["ended"])])


@contextlib.contextmanager
def _shown(console: Console) -> Iterator[Callable[[str, WrittenFrontier | None], None]]:
    """What shows a line and the frontier: a picture on a terminal, elsewhere the line alone."""
    if not console.is_terminal:
        yield lambda line, _: console.print(f"{_clock()} {line}", highlight=False, soft_wrap=True, markup=False)
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield lambda line, written: live.update(_picture(line, written, console.height), refresh=True)


def _picture(line: str, written: WrittenFrontier | None, height: int) -> RenderableType:
    from analysis.frontier.table import frontier_table

    head = Text(f"{_clock()} {line}; Ctrl-C ends", style="cyan")
    if written is None:
        return head
    num_front = int(written.configurations["on_front"].sum())
    num_others = min(10, max(0, height - _LINES_BESIDE - num_front))
    return Group(head, Text(), frontier_table(written.configurations, num_others=num_others))


def _clock() -> str:
    return time.strftime("%H:%M:%S")
