"""The picture of a running sweep on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from orchestrator.views.live import LiveView, bar, picture
from tests.orchestrator.views.samples import REPORT, TRIALS, board_of_four, end, failed, finished


def test_the_live_picture_has_everything(clock: list[float]) -> None:
    board = board_of_four()
    clock[0] += 10
    board.report(TRIALS[1], REPORT)
    board.end(TRIALS[2], failed("the loss became [nan]"))
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


def test_a_trial_that_ended_has_its_line_above_the_picture() -> None:
    board = board_of_four()
    console = Console(file=io.StringIO(), width=140, force_terminal=True)
    view = LiveView(console)
    with view.shown(board):
        view.show(end(board, 1, finished(1)), board)
    assert f"2/4 {TRIALS[1]}  mlp" in console.file.getvalue()
