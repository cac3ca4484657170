"""A sweep of four trials on a board, and what happens to them."""

from __future__ import annotations

import math

from orchestrator.planning.study import plan
from orchestrator.storage.journal import Ended, Outcome
from orchestrator.sweep.definition import Sweep
from orchestrator.views.board import Board, Totals
from orchestrator.views.events import TrialEnded
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
CONFIG = plan(SWEEP)[1].config.to_dict()
"""The configuration of the second trial."""
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
    "is_judged": True,
}


def finished(number: int, **changes: object) -> Ended:
    """The record of a finished trial, whose point differs by ``changes``."""
    trial_id = TRIALS[number]
    return Ended(outcome=Outcome.FINISHED, points=(point(trial_id=trial_id, config_hash=str(number), **changes),))


def failed(reason: str) -> Ended:
    return Ended(outcome=Outcome.FAILED, reason=reason)


def stopped(reason: str) -> Ended:
    return Ended(outcome=Outcome.STOPPED, reason=reason)


def board_of_four() -> Board:
    """A sweep whose first trial an earlier process finished, with the second one running."""
    totals = Totals(num_trials=4, train_s=1.0)
    board = Board("digits-1", "sweeps/digits-1", totals, {TRIALS[0]: finished(0, size_bytes=1000, quality_val=0.95)})
    board.start(TRIALS[1], CONFIG)
    return board


def end(board: Board, number: int, ended: Ended) -> TrialEnded:
    """The event that a trial ended, which the board has counted."""
    board.end(TRIALS[number], ended)
    return TrialEnded(
        trial_id=TRIALS[number],
        outcome=ended.outcome,
        reason=ended.reason,
        points=ended.points,
        num_ended=board.num_ended,
        hypervolume=board.hypervolume,
        totals=board.totals,
    )
