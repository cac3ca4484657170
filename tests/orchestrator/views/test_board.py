"""What a board says of a running sweep: counts, pace, the front's growth."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from orchestrator.storage.journal import Outcome
from orchestrator.views.board import Board, Totals
from tests.orchestrator.views.samples import REPORT, TRIALS, board_of_four, failed, finished, stopped


def test_pace_and_time_left_follow_from_this_process_alone(clock: list[float]) -> None:
    board = board_of_four()
    assert (board.num_ended, board.trials_per_s, board.left_s) == (1, None, None)
    clock[0] += 10
    board.report(TRIALS[1], REPORT)
    board.totals = replace(board.totals, train_s=6.0)
    assert board.trials_per_s == pytest.approx(0.25 / 10)
    assert board.left_s == pytest.approx((4 - 1 - 0.25) * 40)
    assert board.training_at_once == pytest.approx(0.5)
    board.end(TRIALS[1], finished(1))
    assert board.left_s == pytest.approx(2 * 10)


def test_the_front_has_grown_only_where_it_covers_more() -> None:
    board = board_of_four()
    before = board.hypervolume
    assert before == pytest.approx(math.log10(1e9 / 1000) * 0.95)
    board.end(TRIALS[1], finished(1, size_bytes=1200, quality_val=0.94))
    assert (board.hypervolume, board.num_since_growth) == (before, 1)
    board.end(TRIALS[2], finished(2, size_bytes=500, quality_val=0.90))
    assert board.hypervolume > before
    assert board.num_since_growth == 0


def test_where_less_is_better_there_is_no_hypervolume() -> None:
    board = Board("digits-1", "sweeps/digits-1", Totals(num_trials=4), {})
    assert board.hypervolume is None
    board.end(TRIALS[0], finished(0, maximise=False, quality_name="mse"))
    assert board.hypervolume is None
    assert board.num_since_growth == 1


def test_a_trial_that_runs_again_is_no_failure() -> None:
    board = board_of_four()
    board.end(TRIALS[1], failed("it broke"))
    assert board.failed == {TRIALS[1]: "it broke"}
    board.start(TRIALS[1], {})
    board.end(TRIALS[1], None)
    assert board.failed == board.running == {}


def test_trials_that_never_began_count_as_stopped() -> None:
    board = board_of_four()
    board.end(TRIALS[1], stopped("it was last"))
    board.totals = replace(board.totals, num_skipped=2)
    assert board.num(Outcome.STOPPED) == 3
    assert board.num_ended == 4


def test_a_file_that_a_running_trial_stored_counts_at_once_and_only_once() -> None:
    board = board_of_four()
    early = finished(1, point_id="lam3", size_bytes=500, quality_val=0.90).points
    board.store(TRIALS[1], early)
    grown = board.hypervolume
    assert grown == pytest.approx(math.log10(1e9 / 500) * 0.90 + math.log10(1e9 / 1000) * 0.05)
    assert (board.num_ended, board.num_since_growth) == (1, 0)
    last = finished(1, point_id="lam1", size_bytes=900, quality_val=0.96).points
    board.end(TRIALS[1], replace(finished(1), points=(*early, *last)))
    assert sorted(board.coverage.size_bytes) == [500, 900, 1000]
    assert board.hypervolume > grown


def test_what_only_makes_up_for_a_worse_seed_is_no_growth() -> None:
    board = board_of_four()
    board.end(TRIALS[1], finished(1, size_bytes=500, quality_val=0.95))
    most = board.hypervolume
    again = replace(finished(2, size_bytes=500, quality_val=0.75).points[0], config_hash="1")
    board.end(TRIALS[2], replace(finished(2), points=(again,)))  # another seed of the same configuration
    assert board.hypervolume < most
    better = replace(finished(3, size_bytes=500, quality_val=0.94).points[0], config_hash="1")
    board.end(TRIALS[3], replace(finished(3), points=(better,)))
    assert board.hypervolume < most
    assert board.num_since_growth == 2
