"""What is shown of a sweep: counts, pace and the front, and the three ways to show them."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.planning.study import plan
from orchestrator.storage.outcomes import Ended, Outcome
from orchestrator.sweep.definition import Sweep
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board, CountedTotals
from orchestrator.views.json_lines import JsonLinesView
from orchestrator.views.live import bar, picture
from orchestrator.views.plain import PlainView
from orchestrator.views.retold import retell
from tests.points import point

SWEEP = Sweep.from_dict(
    {
        "task": "digits",
        "architecture": {"name": "mlp", "hidden": [64]},
        "method": {"name": "epr", "lam": [0.1, 0.2, 0.4, 0.8]},
        "search": "grid",
    }
)
TRIALS = [f"{number:04d}-epr-s0" for number in range(4)]
REPORT = {
    "step": 500,
    "total_steps": 2000,
    "epoch": 25.0,
    "phase": "train",
    "train_loss": math.nan,
    "rate_bits": 8000.0,
    "rate_comparable": True,
    "quality_val": 0.9,
    "quality_name": "accuracy",
    "maximise": True,
    "train_s": 2.0,
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def finished(number: int, **changes: object) -> Ended:
    trial_id = TRIALS[number]
    return Ended(outcome=Outcome.FINISHED, points=(point(trial_id=trial_id, config_hash=str(number), **changes),))


def started(folder: Path) -> tuple[Board, CountedTotals]:
    """A sweep whose first trial an earlier process finished, with one running."""
    totals = CountedTotals(num_trials=4, train_s=1.0)
    board = Board("digits-1", str(folder), totals, {TRIALS[0]: finished(0, size_bytes=1000, quality_val=0.95)})
    board.start(TRIALS[1], plan(SWEEP)[1].config.to_dict())
    return board, totals


def test_pace_and_time_left_follow_from_this_process_alone(tmp_path: Path, clock: list[float]) -> None:
    board, totals = started(tmp_path)
    assert (board.num_ended, board.trials_per_s, board.left_s) == (1, None, None)
    clock[0] += 10
    board.report(TRIALS[1], REPORT)
    totals.train_s += 5.0
    assert board.trials_per_s == pytest.approx(0.25 / 10)
    assert board.left_s == pytest.approx((4 - 1 - 0.25) * 40)
    assert board.training_at_once == pytest.approx(0.5)
    board.end(TRIALS[1], finished(1))
    assert board.left_s == pytest.approx(2 * 10)


def test_the_front_has_grown_only_where_it_covers_more(tmp_path: Path) -> None:
    board, _ = started(tmp_path)
    before = board.hypervolume
    assert before == pytest.approx(math.log10(1e9 / 1000) * 0.95)
    board.end(TRIALS[1], finished(1, size_bytes=1200, quality_val=0.94))
    assert (board.hypervolume, board.num_since_growth) == (before, 1)
    board.end(TRIALS[2], finished(2, size_bytes=500, quality_val=0.90))
    assert board.hypervolume > before
    assert board.num_since_growth == 0


def test_where_less_is_better_there_is_no_hypervolume(tmp_path: Path) -> None:
    board = Board("digits-1", str(tmp_path), CountedTotals(num_trials=4), {})
    assert board.hypervolume is None
    board.end(TRIALS[0], finished(0, maximise=False, quality_name="mse"))
    assert board.hypervolume is None
    assert board.num_since_growth == 1


def test_a_trial_that_runs_again_is_no_failure(tmp_path: Path) -> None:
    board, _ = started(tmp_path)
    board.end(TRIALS[1], Ended(outcome=Outcome.FAILED, reason="it broke"))
    assert board.failed == {TRIALS[1]: "it broke"}
    board.start(TRIALS[1], {})
    board.end(TRIALS[1], None)
    assert board.failed == board.running == {}


def test_the_live_picture_has_everything(tmp_path: Path, clock: list[float]) -> None:
    board, _ = started(tmp_path)
    clock[0] += 10
    board.report(TRIALS[1], REPORT)
    board.end(TRIALS[2], Ended(outcome=Outcome.FAILED, reason="the loss became [nan]"))
    console = Console(file=io.StringIO(), width=140, record=True)
    console.print(bar(board), picture(board))
    text = console.export_text()
    for part in (
        "digits-1",
        "2/4",
        "0:00:10 so far",
        "1 finished, 1 failed",
        "hypervolume 5.700",
        f"{TRIALS[2]} failed: the loss became [nan]",
        "mlp(hidden=[64])",
        "500/2,000",
        "1.00 kB",
        "90.00 %",
        "accuracy on validation of the files so far",
        "●",
    ):
        assert part in text


def test_json_lines_are_json_whatever_was_measured(tmp_path: Path) -> None:
    board, _ = started(tmp_path)
    stream = io.StringIO()
    view = JsonLinesView(stream)
    with view.shown(board):
        view.on_start(board, TRIALS[1])
        board.report(TRIALS[1], REPORT)
        view.on_report(board, TRIALS[1])
        ended = finished(1)
        board.end(TRIALS[1], ended)
        view.on_end(board, TRIALS[1], ended)
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


class Kept(PlainView):
    """Keeps the board it is shown."""

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        self.board = board
        yield


def test_what_is_told_elsewhere_is_shown_as_it_would_be_there(tmp_path: Path) -> None:
    board, totals = started(tmp_path)
    stream = io.StringIO()
    there = JsonLinesView(stream)
    with there.shown(board):
        there.on_start(board, TRIALS[1])
        board.report(TRIALS[1], REPORT)
        there.on_report(board, TRIALS[1])
        stream.write("a library has something to say\n")
        totals.train_s += 5.0
        for trial_id, ended in ((TRIALS[2], finished(2)), (TRIALS[3], Ended(outcome=Outcome.FAILED, reason="no"))):
            board.start(trial_id, {})
            board.end(trial_id, ended)
            there.on_end(board, trial_id, ended)
    there.write("sweep_ended", summary="over")
    stream.write('{"event": "trial_st')  # a kill
    console, said = Console(file=io.StringIO(), width=140, record=True), []
    here = Kept(console)
    assert retell(stream.getvalue().splitlines(keepends=True), here, otherwise=said.append) == {"summary": "over"}
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
    board = Board("digits-1", "there", CountedTotals(num_trials=4), {})
    for summary in ("first", "second"):
        with view.shown(board):
            pass
        view.write("sweep_ended", summary=summary)
    with view.shown(board):
        pass
    lines = stream.getvalue().splitlines()
    silent = AbstractView()
    assert retell(lines[:4], silent, otherwise=print) == {"summary": "second"}
    assert retell(lines, silent, otherwise=print) is None


def test_a_line_for_each_trial_that_ended(tmp_path: Path) -> None:
    board, _ = started(tmp_path)
    console = Console(file=io.StringIO(), width=140, record=True)
    view = PlainView(console)
    for trial_id, ended in (
        (TRIALS[1], finished(1)),
        (TRIALS[2], Ended(outcome=Outcome.FAILED, reason="it broke")),
        (TRIALS[3], Ended(outcome=Outcome.STOPPED, reason="it was last")),
    ):
        board.end(trial_id, ended)
        view.on_end(board, trial_id, ended)
    assert console.export_text().splitlines() == [
        f"2/4 {TRIALS[1]}  mlp(hidden=[64])  1.00 kB  accuracy_val 0.9600  1.5 s",
        f"3/4 {TRIALS[2]}  failed: it broke",
        f"4/4 {TRIALS[3]}  stopped: it was last",
    ]
