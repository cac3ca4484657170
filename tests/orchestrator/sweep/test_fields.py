"""The search of a sweep that names none."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.overrides import apply_overrides

LAM = {"loguniform": [0.1, 1.0]}
RATE = {"loguniform": [1e-3, 1e-2]}


def document(**changes: Any) -> dict[str, Any]:
    return {"task": "digits", "architecture": "mlp", "method": {"name": "epr", "lam": LAM}, **changes}


@pytest.mark.parametrize(
    ("changes", "search"),
    [
        ({}, {"name": "grid", "num_values": 6}),
        ({"method": ["epr", "ptq", "uncompressed"]}, {"name": "grid", "num_values": 6}),
        ({"method": {"name": "epr", "lam": [0.1, 1.0], "learning_rate": [1e-3, 1e-2]}}, {"name": "grid"}),
        ({"method": {"name": "epr", "lam": LAM, "learning_rate": RATE}}, {"name": "tpe", "num_trials": 40}),
        ({"steps": {"integers": [100, 900]}}, {"name": "tpe", "num_trials": 40}),
        (
            {
                "method": [
                    {"name": "epr", "lam": LAM, "learning_rate": RATE},
                    {"name": "uncompressed", "learning_rate": RATE},
                ]
            },
            {"name": "tpe", "num_trials": 60},
        ),
        ({"architecture": ["mlp", "cnn"], "steps": {"integers": [100, 900]}}, {"name": "tpe", "num_trials": 40}),
        ({"method": {"name": "epr", "lam": LAM, "learning_rate": RATE}, "search": "grid"}, {"name": "grid"}),
    ],
)
def test_without_a_search_several_ranges_are_searched_and_all_else_is_a_grid(
    changes: dict[str, Any], search: dict[str, Any]
) -> None:
    found = Sweep.from_dict(document(**changes))
    assert found.search | search == found.search
    assert Sweep.from_dict(found.to_dict()) == found


def test_an_override_changes_the_search_that_would_be() -> None:
    given = document(method={"name": "epr", "lam": LAM, "learning_rate": RATE})
    changed = Sweep.from_dict(apply_overrides(given, ["search.num_trials=7"]))
    assert (changed.search["name"], changed.search["num_trials"]) == ("tpe", 7)
