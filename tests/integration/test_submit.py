"""A sweep submitted to this machine: what a cluster would be sent, and what is said about it afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.console import call

SWEEP = {
    "task": "digits",
    "architecture": {"name": "mlp", "hidden": [8]},
    "method": [{"name": "ptq", "bits": [3]}, {"name": "uncompressed", "learning_rate": 1e20}],  # the second diverges
    "steps": 60,
}


def test_what_was_submitted_is_listed_shown_again_and_goes_on(workplace: Path) -> None:
    (workplace / "sent.yaml").write_text(yaml.safe_dump(SWEEP))
    state = {"XDG_STATE_HOME": str(workplace / "state")}
    places = ["--storage", str(workplace / "there"), "--tracking-uri", f"sqlite:///{workplace}/mlflow.db"]

    def ratefront(*arguments: str) -> Any:
        return call(workplace, *arguments, **state)

    dry = ratefront("submit", "sent.yaml", "--to", "here", *places, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "ratefront sweep sweep.yaml --resume --json-lines --storage" in dry.stdout
    assert not (workplace / "there").exists()
    assert "nothing was submitted from here" in ratefront("jobs").stdout

    sent = ratefront("submit", "sent.yaml", "--to", "here", *places)
    assert sent.returncode == 1, sent.stderr  # a trial failed, as sweep would say
    assert "failed: diverged" in sent.stdout
    assert "1 of 2 trials finished, 1 failed" in sent.stdout
    (job,) = json.loads(ratefront("jobs", "--json").stdout)
    assert (job["target"], job["state"], job["trouble"]) == ("here", "failed", "")
    shown = ratefront("attach", job["sweep_id"][:6])
    assert (shown.returncode, shown.stdout) == (1, sent.stdout.partition("\n")[2])
    events = [json.loads(line)["event"] for line in ratefront("logs").stdout.splitlines()]
    assert (events[0], events[-1]) == ("sweep_started", "sweep_ended")
    assert "is failed already" in ratefront("cancel").stdout

    again = ratefront("submit", "sent.yaml", "--to", "here", *places)
    assert again.returncode == 1
    events = [json.loads(line)["event"] for line in ratefront("logs").stdout.splitlines()]
    assert events.count("trial_found") == 1
    assert events.count("trial_started") == 1
