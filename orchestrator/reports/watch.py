"""A frontier that follows running sweeps: drawn again when something ended, until the sweeps do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from analysis.units import format_quality, format_size
from orchestrator.reports.frontier import WrittenFrontier, print_frontier

if TYPE_CHECKING:
    import pandas as pd

INTERVAL_S = 10.0
_STATES = ("finished", "stopped", "failed", "running")
_LINES_BESIDE = 10
"""Of the terminal, what is left to all but the table's rows."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far sweeps are."""

    is_running: bool
    """Whether one of them is."""
    counts: tuple[int, ...]
    """Of trials by state, as ``_STATES``."""
    num_points: int

    @staticmethod
    def of(sweeps: pd.DataFrame) -> Standing:
        """From ``analysis.points.mlflow.list_sweeps``."""
        return Standing(
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
    """Show a frontier until no sweep runs, and what was drawn last; a store that goes away is tried again.

    On a terminal a picture is drawn over the last one, elsewhere there is a line for each change. Whatever ends it,
    Ctrl-C too, the table is printed last.

    Args:
        look: reads how far the sweeps are, as ``analysis.points.mlflow.list_sweeps``.
        draw: writes the figures; None where nothing has finished.
        console: to print to.
        interval_s: between two looks; longer where drawing takes longer, so that at most half of the time goes there.
        sleep: waits for seconds.

    Raises:
        ValueError, ConnectionError: of ``look`` and ``draw``; a lost connection only at the first look.
    """
    before: Standing | None = None
    written: WrittenFrontier | None = None
    last = ""
    try:
        with _shown(console) as show:
            while True:
                started_s = time.monotonic()
                try:
                    now = Standing.of(look())  # before the points, so that of an ended sweep none is missed
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


def _drawn(standing: Standing) -> tuple[int, int]:
    """What changes a frontier: a point, or a seed that failed."""
    return standing.num_points, standing.counts[_STATES.index("failed")]


def _line(standing: Standing, written: WrittenFrontier | None) -> str:
    """``12 finished, 3 running; 5 on the frontier, 240 B to 4.10 kB, the best with test accuracy 97.20 %``."""
    if written is None:
        waiting = "waiting" if standing.is_running else "and no sweep is running"
        return f"{standing.text}; no finished point yet, {waiting}"
    configurations = written.configurations
    front = configurations[configurations["on_front"]]
    parts = [standing.text, f"{len(front)} on the frontier"]
    if len(front):
        sizes, name = front["file_size_bytes"], str(front["quality_name"].iloc[0])
        best = format_quality(front["file_quality"].iloc[-1], name)  # the last by mean size: validation's best
        parts[1] += f", {format_size(sizes.min())} to {format_size(sizes.max())}, the best with test {name} {best}"
    return "; ".join([*parts, *([] if standing.is_running else ["ended"])])


@contextlib.contextmanager
def _shown(console: Console) -> Iterator[Callable[[str, WrittenFrontier | None], None]]:
    """How a line and the frontier are shown: as a picture on a terminal, elsewhere the line alone."""
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
