"""An adaptive search with early stopping, on Ray: what is asked, told and stopped is on disk and in MLflow."""

from __future__ import annotations

import json
from pathlib import Path

from mlflow import MlflowClient

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal, Outcome
from tests.console import call

SWEEP = """
name: searched
task: digits
architecture: {name: mlp, hidden: [16]}
method: {name: epr, lam: 0.5, learning_rate: [0.004, 0.005, 0.006, 1.0e-07, 2.0e-07]}
steps: 440
seeds: 2
search: {name: tpe, num_trials: 5, num_random: 2}
scheduler: {name: mo_asha, first: 0.1}
"""


def test_a_search_learns_and_stops_and_can_be_resumed(workplace: Path) -> None:
    (workplace / "searched.yaml").write_text(SWEEP)
    done = call(workplace, "sweep", "searched.yaml")
    assert done.returncode == 0, done.stderr
    (folder,) = (workplace / "sweeps").iterdir()
    journal = Journal(LocalFolder(folder))
    ended = {trial_id: journal.ended(trial_id) for trial_id in journal.trial_ids()}
    assert len(ended) == 10
    stopped = {trial_id for trial_id, one in ended.items() if one and one.outcome is Outcome.STOPPED}
    assert stopped, done.stdout
    assert f"{10 - len(stopped)} of 10 trials finished, {len(stopped)} stopped early" in done.stdout
    for trial_id in stopped:
        one = ended[trial_id]
        assert one is not None
        assert one.reason.startswith("at " if trial_id.endswith("-s0") else "its first seed")
        assert not list(journal.trial_directory(trial_id).glob("checkpoint*"))
        assert trial_id.replace("-s1", "-s0") in stopped, "seeds share their fate"

    record = [json.loads(line) for line in (folder / "study.jsonl").read_text().splitlines()]
    assert [line["ask"] for line in record if "ask" in line] == list(range(5))
    assert sorted(line["tell"] for line in record if "tell" in line) == list(range(5))
    assert all(line["told"] for line in record if "tell" in line)

    client = MlflowClient(f"sqlite:///{workplace / 'mlflow.db'}")
    (experiment,) = (one for one in client.search_experiments() if one.name == "searched")
    runs = client.search_runs([experiment.experiment_id])
    killed = {run.data.tags["ratefront.trial_id"] for run in runs if run.info.status == "KILLED"}
    assert killed == stopped
    assert len(runs) == 11
    assert all(("ratefront.stopped" in run.data.tags) == (run.info.status == "KILLED") for run in runs)

    again = call(workplace, "sweep", "searched.yaml", "--resume")
    assert again.returncode == 0
    assert f"{len(stopped)} stopped early" in again.stdout
    assert len((folder / "study.jsonl").read_text().splitlines()) == len(record)
