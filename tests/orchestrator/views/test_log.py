"""A sweep's log: written as lines of JSON, read back, and shown as the sweep was where it ran."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board, Totals
from orchestrator.views.broadcast import Broadcast, beginning_of
from orchestrator.views.events import AbstractEvent, SweepEnded
from orchestrator.views.live import picture
from orchestrator.views.log import JsonLinesView, last_result, read_events, show_log, write_event
from orchestrator.views.plain import PlainView
from tests.orchestrator.views.samples import CONFIG, REPORT, TRIALS, board_of_four, failed, finished


class Kept(AbstractView):
    """Prints lines of trials that ended, and keeps the board that it is shown."""

    def __init__(self, console: Console) -> None:
        self._lines = PlainView(console)

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        self.board = board
        yield

    def show(self, event: AbstractEvent, board: Board) -> None:
        self._lines.show(event, board)


def test_a_log_is_shown_as_the_sweep_is_where_it_runs() -> None:
    board = board_of_four()
    now = [board.totals]
    stream = io.StringIO()
    there = Broadcast(board, [JsonLinesView(stream)], totals=lambda: now[0])
    with there.shown(beginning_of(board)):
        there.start(TRIALS[1], CONFIG)
        there.report(TRIALS[1], REPORT)
        stream.write("a library has something to say\n")
        now[0] = replace(now[0], train_s=6.0)
        for trial_id, ended in ((TRIALS[2], finished(2)), (TRIALS[3], failed("no"))):
            board.start(trial_id, {})
            there.end(trial_id, ended)
    write_event(SweepEnded(result={"summary": "over"}), stream)
    stream.write('{"event": "trial_st')  # a kill
    console, said = Console(file=io.StringIO(), width=140, record=True), []
    here = Kept(console)
    assert show_log(stream.getvalue().splitlines(keepends=True), here, otherwise=said.append) == {"summary": "over"}
    assert said == ["a library has something to say", '{"event": "trial_st']
    assert console.export_text().splitlines() == [
        f"2/4 {TRIALS[2]}  mlp(hidden=[64])  1.00 kB  accuracy_val 0.9600  1.5 s",
        f"3/4 {TRIALS[3]}  failed: no",
    ]
    assert here.board.hypervolume == board.hypervolume
    assert (here.board.failed, here.board.num_ended) == (board.failed, board.num_ended)
    assert here.board.running[TRIALS[1]].fraction == 0.25
    assert math.isnan(here.board.running[TRIALS[1]].progress["train_loss"])
    assert here.board.totals.train_s == 6.0
    console.print(picture(here.board))
    assert "accuracy on validation of the files so far" in console.export_text()


def test_a_log_of_several_attempts_ends_with_the_last() -> None:
    stream = io.StringIO()
    view = JsonLinesView(stream)
    board = Board("digits-1", "there", Totals(num_trials=4), {})

    def begin() -> None:
        with Broadcast(board, [view]).shown(beginning_of(board)):
            pass

    for summary in ("first", "second"):
        begin()
        write_event(SweepEnded(result={"summary": summary}), stream)
    begin()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 5
    for num_lines, result in ((5, None), (4, {"summary": "second"}), (2, {"summary": "first"}), (1, None)):
        silent = JsonLinesView(io.StringIO())
        assert show_log(lines[:num_lines], silent, otherwise=print) == result
        assert last_result(read_events(lines[:num_lines], otherwise=print)) == result


def test_a_line_of_json_that_is_no_event_of_ours_is_passed_on() -> None:
    said: list[str] = []
    lines = ['{"event": "started", "by": "a library"}\n', "\n", '{"event": 1']
    assert list(read_events(lines, otherwise=said.append)) == []
    assert said == ['{"event": "started", "by": "a library"}', '{"event": 1']


def test_json_lines_are_json_whatever_was_measured() -> None:
    board = board_of_four()
    stream = io.StringIO()
    broadcast = Broadcast(board, [JsonLinesView(stream)])
    with broadcast.shown(beginning_of(board)):
        broadcast.start(TRIALS[1], CONFIG)
        broadcast.report(TRIALS[1], REPORT)
        broadcast.end(TRIALS[1], finished(1))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "sweep_started",
        "trial_found",
        "trial_started",
        "report",
        "trial_ended",
    ]
    assert (lines[0]["num_trials"], lines[0]["num_ended"]) == (4, 1)
    assert (lines[1]["trial_id"], lines[1]["points"][0]["quality_val"]) == (TRIALS[0], 0.95)
    assert lines[2]["config"]["method"]["lam"] == 0.2
    assert (lines[3]["step"], lines[3]["train_loss"]) == (500, None)
    assert lines[4]["points"][0]["size_bytes"] == 1000


@pytest.mark.parametrize(
    "line", ['{"event": "trial_ended"}', '{"event": []}', '{"event": "report", "at_s": 1}', '{"event": ']
)
def test_a_line_that_is_no_event_of_ours_is_passed_on(line: str) -> None:
    passed: list[str] = []
    assert list(read_events([line], otherwise=passed.append)) == []
    assert passed == [line]
