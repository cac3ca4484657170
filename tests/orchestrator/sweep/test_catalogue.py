"""What can be swept, as the registries have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.search.schedulers import SCHEDULERS
from orchestrator.search.schedulers.none import NoScheduler
from orchestrator.search.searchers import SEARCHERS
from orchestrator.sweep.catalogue import catalogue
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.recipes import recipe_paths
from trainers.architectures import ARCHITECTURES
from trainers.methods import METHODS
from trainers.modifiers import MODIFIERS
from trainers.tasks import TASKS
from trainers.training_settings import OPTIMISERS, SCHEDULES

REGISTRIES = {
    "methods": METHODS,
    "architectures": ARCHITECTURES,
    "tasks": TASKS,
    "modifiers": MODIFIERS,
    "optimisers": OPTIMISERS,
    "schedules": SCHEDULES,
    "searchers": SEARCHERS,
    "schedulers": SCHEDULERS,
    "recipes": recipe_paths(),
}


def row(kind: str, name: str) -> dict[str, Any]:
    (found,) = (one for one in catalogue()[kind] if one["name"] == name)
    return found


def test_everything_registered_is_listed_and_described_in_a_line() -> None:
    found = catalogue()
    assert list(found) == list(REGISTRIES)
    for kind, registry in REGISTRIES.items():
        assert [one["name"] for one in found[kind]] == list(registry)
        assert all(one["description"] and "\n" not in one["description"] for one in found[kind])


def test_a_new_entry_appears_by_being_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Patient(NoScheduler):
        """Stops what has lasted for ``days``."""

        days: int
        reduction: int = 3

    monkeypatch.setitem(SCHEDULERS, "patient", Patient)
    assert row("schedulers", "patient") == {
        "name": "patient",
        "description": "Stops what has lasted for days.",
        "arguments": [
            {"name": "days", "is_required": True},
            {"name": "reduction", "is_required": False, "default": 3},
        ],
    }


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_the_domain_that_a_sweep_tries_and_its_other_fields(name: str) -> None:
    found, knob = row("methods", name), METHODS[name].rate_knob
    arguments = {one["name"] for one in found["arguments"]}
    assert set(found["point_fields"]) <= arguments
    if knob is None:
        assert found["rate_knob"] is None
        return
    sweep = Sweep.from_dict({"task": "digits", "architecture": "mlp", "method": name})
    assert found["rate_knob"] == {"field": knob.field, "domain": sweep.method[0].arguments[knob.field].to_dict()}
    assert knob.field not in arguments


def test_what_an_architecture_gets_from_its_task_is_no_argument() -> None:
    assert row("architectures", "mlp")["arguments"] == [{"name": "hidden", "is_required": False, "default": [300, 100]}]
