"""How a sweep stands after a run, as a person, a script and an exit code say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestrator.reports.frontier import WrittenFrontier
from orchestrator.running.result import SweepResult, exit_code_of


def result(**changes: Any) -> SweepResult:
    """Three of three trials finished."""
    counts = {"num_trials": 3, "num_finished": 3, "num_failed": 0, "num_stopped": 0}
    return SweepResult(**{"sweep_id": "s-1", **counts, "frontier": None, "directory": "sweeps/s-1", **changes})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"num_finished": 2, "num_stopped": 1}, 0),
        ({"num_finished": 2, "spent": "budget.trials is 2"}, 0),
        ({"unreported": "KeyError"}, 0),
        ({"num_finished": 2, "num_failed": 1}, 1),
        ({"unpublished": "no server"}, 1),
        ({"num_finished": 0, "num_stopped": 3}, 1),
        ({"num_finished": 2, "full": "no space left on device"}, 1),
        ({"full": "no space left on device"}, 1),
        ({"num_finished": 2}, 130),
        ({"num_finished": 1, "num_failed": 1}, 130),
        ({"num_finished": 2, "unpublished": "no server"}, 130),
    ],
)
def test_the_exit_code_is_the_same_here_and_from_a_log(changes: dict[str, Any], code: int) -> None:
    found = result(**changes)
    assert found.exit_code == code
    assert exit_code_of(json.loads(json.dumps(found.to_dict()))) == code


def test_what_the_budget_or_a_full_disk_left_is_no_interruption() -> None:
    assert result(num_finished=1).interrupted
    assert not result(num_finished=1, spent="budget.trials is 1, and 1 are spent").interrupted
    assert not result(num_finished=1, full="no space left on device").interrupted


def test_the_summary_says_only_what_there_was() -> None:
    assert result().summary == "sweep s-1: 3 of 3 trials finished"
    some = result(num_finished=1, num_stopped=1, num_failed=1)
    assert some.summary == "sweep s-1: 1 of 3 trials finished, 1 stopped early, 1 failed"


def test_plain_data_has_the_configurations_on_the_front() -> None:
    table = pd.DataFrame({"label": ["a", "b"], "size_bytes": [1, 2], "on_front": [True, False]})
    written = WrittenFrontier(
        folder=Path("f"), configurations=table, points=table, pareto_run_ids=(), representative_run_ids=()
    )
    found = result(frontier=written).to_dict()
    assert found["frontier"] == [{"label": "a", "size_bytes": 1, "on_front": True}]
    assert (found["summary"], found["interrupted"]) == ("sweep s-1: 3 of 3 trials finished", False)
    assert result().to_dict()["frontier"] == []
