"""A small sweep for tests, and the error that planning a wrong one gives."""

from typing import Any

import pytest

from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.sweep.definition import Sweep


def document(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "task": "digits",
        "architecture": [{"name": "mlp", "hidden": [8]}, {"name": "mlp", "hidden": [16, 8]}],
        "method": [{"name": "epr", "lam": [0.1, 1.0]}, "uncompressed"],
        "steps": 5,
        "seeds": 2,
        **changes,
    }


def error_of(given: Any) -> str:
    """The one-line error that planning the document ``given`` raises."""
    with pytest.raises(SweepError) as error:
        plan(Sweep.from_dict(given))
    assert "\n" not in str(error.value)
    return str(error.value)
