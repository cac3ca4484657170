"""A log that version 0.1.0 wrote with ``--json-lines`` is read, shown, and written again as the same bytes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent, SweepEnded, TrialEnded
from orchestrator.views.log import JsonLinesView, read_events, show_log, write_event

LOG = Path(__file__).parent / "events.jsonl"
"""A sweep of three trials: its budget ended it after the first; then it was resumed, and a trial failed.

Some reports were taken out, and the sweep's folder is a relative path."""


class Recount(AbstractView):
    """Compares what an event says of the sweep with what the board counts."""

    def __init__(self) -> None:
        self.num_compared = 0

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        yield

    def show(self, event: AbstractEvent, board: Board) -> None:
        if isinstance(event, TrialEnded):
            assert (event.num_ended, event.hypervolume) == (board.num_ended, board.hypervolume)
            self.num_compared += 1


def refuse(line: str) -> None:
    raise AssertionError(f"no event: {line}")


def lines() -> list[str]:
    return LOG.read_text().splitlines(keepends=True)


def test_each_event_is_written_as_the_committed_line() -> None:
    stream = io.StringIO()
    for event in read_events(lines(), otherwise=refuse):
        write_event(event, stream)
    assert stream.getvalue().splitlines(keepends=True) == lines()


def test_a_view_is_shown_the_events_of_the_log() -> None:
    stream = io.StringIO()
    result = show_log(lines(), JsonLinesView(stream), otherwise=refuse)
    ends = f'{{"event": "{SweepEnded.kind}"'
    assert stream.getvalue().splitlines(keepends=True) == [line for line in lines() if not line.startswith(ends)]
    assert result is not None
    assert result["summary"] == "sweep told-e6000a22: 2 of 3 trials finished, 1 failed"


def test_a_board_counts_what_the_log_says() -> None:
    view = Recount()
    show_log(lines(), view, otherwise=refuse)
    assert view.num_compared == 3
