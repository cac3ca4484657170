"""The budget of a sweep, as its file has it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sweep.budget import Budget
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.overrides import apply_overrides
from tests.orchestrator.samples import document, error_of


def test_a_budget_is_read_written_and_no_part_of_the_identity() -> None:
    plain = Sweep.from_dict(document())
    limited = Sweep.from_dict(apply_overrides(document(), ["budget.train_s=60", "budget.trials=3"]))
    assert limited.budget == Budget(train_s=60, trials=3)
    assert Sweep.from_dict(limited.to_dict()) == limited
    assert limited.sweep_id == plain.sweep_id
    assert "budget" not in plain.to_dict()


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"train_h": 3}, "unknown field 'budget.train_h'; did you mean 'budget.train_s'?"),
        ({"trials": 0}, "budget.trials is 0: wanted greater than or equal to 1"),
        (3, "budget is 3: wanted a mapping, such as {trials: 100}"),
    ],
)
def test_a_mistake_in_the_budget_is_refused_in_one_line(budget: Any, message: str) -> None:
    assert error_of(document(budget=budget)) == message
