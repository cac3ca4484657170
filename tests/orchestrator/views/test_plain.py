"""The lines of trials that ended."""

from __future__ import annotations

import dataclasses
import io

from rich.console import Console

from orchestrator.views.events import PointsStored, TrialStarted
from orchestrator.views.plain import PlainView
from tests.orchestrator.views.samples import TRIALS, board_of_four, end, failed, finished, stopped
from tests.points import point


def test_a_line_for_each_trial_that_ended() -> None:
    board = board_of_four()
    console = Console(file=io.StringIO(), width=140, record=True)
    view = PlainView(console)
    with view.shown(board):
        for number, ended in ((1, finished(1)), (2, failed("it broke")), (3, stopped("it was last"))):
            view.show(TrialStarted(trial_id=TRIALS[number], config={}), board)
            view.show(end(board, number, ended), board)
    assert console.export_text().splitlines() == [
        f"2/4 {TRIALS[1]}  mlp(hidden=[64])  1.00 kB  accuracy_val 0.9600  1.5 s",
        f"3/4 {TRIALS[2]}  failed: it broke",
        f"4/4 {TRIALS[3]}  stopped: it was last",
    ]


def test_a_line_says_that_a_layer_is_all_zero_or_that_the_network_was_destroyed() -> None:
    board = board_of_four()
    console = Console(file=io.StringIO(), width=140, record=True)
    event = end(board, 1, finished(1))
    odd = point(point_id="step0.1", zero_weights="1.weight, 3.weight")
    for points in ((point(), odd), (odd, point(zero_weights="1.weight", is_constant=True))):
        PlainView(console).show(dataclasses.replace(event, points=points), board)
    first, second = console.export_text().splitlines()
    assert first.endswith("1.5 s (and 1 more)  step0.1: a layer is all zero: 1.weight, 3.weight")
    assert second.endswith("1.5 s (and 1 more)  point: its outputs are the same whatever its inputs")


def test_the_smallest_of_several_files_is_shown() -> None:
    board = board_of_four()
    console = Console(file=io.StringIO(), width=140, record=True)
    event = end(board, 1, finished(1))
    points = (point(size_bytes=2000), point(size_bytes=500, quality_val=0.5), point(size_bytes=3000))
    PlainView(console).show(dataclasses.replace(event, points=points), board)
    assert (
        console.export_text() == f"2/4 {TRIALS[1]}  mlp(hidden=[64])  500 B  accuracy_val 0.5000  1.5 s (and 2 more)\n"
    )


def test_a_line_for_each_file_that_a_running_trial_stored() -> None:
    board = board_of_four()
    console = Console(file=io.StringIO(), width=140, record=True)
    PlainView(console).show(PointsStored(trial_id=TRIALS[1], points=(point(point_id="lam3.2"),)), board)
    assert console.export_text() == f"1/4 {TRIALS[1]} goes on, has lam3.2  1.00 kB  accuracy_val 0.9600  1.5 s\n"


def test_of_a_signal_the_line_has_its_quality_in_decibels() -> None:
    board = board_of_four()
    console = Console(file=io.StringIO(), width=140, record=True)
    fitted = point(quality_name="psnr_db", quality_val=31.048, signal_unit="pixel", signal_count=100)
    PlainView(console).show(dataclasses.replace(end(board, 1, finished(1)), points=(fitted,)), board)
    assert "1.00 kB  PSNR 31.05 dB  1.5 s" in console.export_text()
