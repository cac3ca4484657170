"""Machines and people are told about a sweep: its plan, its events, a budget that ends it, a message at the end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.console import call

SWEEP = {
    "name": "told",
    "task": "digits",
    "architecture": {"name": "mlp", "hidden": [8]},
    "method": {"name": "epr", "lam": [0.03, 0.1, 0.3]},
    "steps": 100,
}


@pytest.fixture
def folder(workplace: Path) -> Path:
    (workplace / "told.yaml").write_text(yaml.safe_dump(SWEEP))
    return workplace


def test_events_a_spent_budget_and_a_message_at_the_end(folder: Path, service: tuple[str, list[Any]]) -> None:
    address, received = service
    limited = call(folder, "sweep", "told.yaml", "--set", "budget.trials=2", "--json-lines", "--webhook", address)
    assert limited.returncode == 0, limited.stderr
    events = [json.loads(line) for line in limited.stdout.splitlines()]
    counted = Counter(event["event"] for event in events)
    assert counted.pop("report") == 2 * 15  # 100 steps are tenths, and six epochs
    assert counted == {"sweep_started": 1, "trial_started": 2, "trial_ended": 2, "sweep_ended": 1}
    last = events[-1]
    assert (last["num_finished"], last["num_trials"], last["interrupted"]) == (2, 3, False)
    assert last["spent"] == "budget.trials is 2, and 2 are spent"
    ended = [event for event in events if event["event"] == "trial_ended"]
    sizes = {point["size_bytes"] for event in ended for point in event["points"]}
    assert {row["file_size_bytes"] for row in last["frontier"]} <= sizes
    (message,) = received
    assert message["text"] == f"sweep {last['sweep_id']}: 2 of 3 trials finished"
    assert {key: item for key, item in message.items() if key != "text"} == {
        key: item for key, item in last.items() if key not in ("event", "at_s")
    }

    again = call(folder, "sweep", "told.yaml", "--set", "budget.trials=2")
    assert again.returncode == 0, again.stderr
    assert "a larger budget and --resume go on" in again.stdout

    whole = call(folder, "sweep", "told.yaml", "--resume")
    assert whole.returncode == 0, whole.stderr
    assert "1 configuration" not in whole.stdout
    assert "3 configurations, of which 1 will run" in whole.stdout
    assert "3 of 3 trials finished" in whole.stdout


def test_a_plan_has_time_and_cost_and_leaves_nothing(folder: Path) -> None:
    before = sorted(folder.iterdir())
    shown = call(folder, "plan", "told.yaml", "--price-per-hour", "3600")
    assert shown.returncode == 0, shown.stderr
    assert "3 configurations\nproposed by 'grid'\neach trial has 1 CPU" in shown.stdout
    assert "ms a step" in shown.stdout
    assert "none disturbs another" in shown.stdout
    planned = json.loads(call(folder, "plan", "told.yaml", "--price-per-hour", "3600", "--json").stdout)
    estimate = planned["estimate"]
    assert estimate["cost"] == pytest.approx(estimate["wall_s"])
    assert 0 < estimate["wall_s"] <= estimate["trial_s"] < 60
    assert [(kind["method"], kind["num_trials"]) for kind in estimate["kinds"]] == [("epr", 3)]
    unmeasured = json.loads(call(folder, "plan", "told.yaml", "--no-measure", "--json").stdout)
    assert "estimate" not in unmeasured
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "told.yaml", "--no-measure", "--price-per-hour", "1"), "--price-per-hour needs the time"),
        (("sweep", "told.yaml", "--webhook", "host"), "wanted an address such as https://host/path"),
        (("sweep", "told.yaml", "--set", "resources.cpu=512"), "resources.cpu is 512 and this machine has"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    refused = call(folder, *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1
