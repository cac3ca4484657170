"""How often MLflow is asked: what a trial costs at the end of a sweep is counted, not timed."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.running.place import Place
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.tracking.publishing import Presentation
from orchestrator.tracking.tracker import Tracker
from tests.orchestrator.storage.samples import REPORT
from tests.points import CONFIG, point

VERBS = (
    *("search_runs", "create_run", "get_run", "update_run", "set_terminated", "delete_run"),
    *("set_tag", "delete_tag", "log_batch", "log_metric", "log_param", "get_metric_history", "get_experiment_by_name"),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The requests that any client sends, by verb."""
    counted: Counter[str] = Counter()

    def counting(verb: str) -> Any:
        carry_out = getattr(MlflowClient, verb)

        def call(*given: Any, **named: Any) -> Any:
            counted[verb] += 1
            return carry_out(*given, **named)

        return call

    for verb in VERBS:
        monkeypatch.setattr(MlflowClient, verb, counting(verb))
    return counted


def ended(folder: Path, num_trials: int) -> Journal:
    """The journal of a sweep whose trials have all finished."""
    journal = Journal(LocalFolder(folder))
    journal.begin_sweep("name: small\n")
    for number in range(num_trials):
        trial_id, content = f"{number:04d}-epr-s0", f"{number}".encode()
        journal.begin(trial_id, {**CONFIG, "seed": number}, {"device": "this"})
        journal.append_progress(trial_id, REPORT)
        path = f"trials/{trial_id}/point.rfz"
        journal.file(path).write_bytes(content)
        journal.file(f"trials/{trial_id}/point.sections.csv").write_text("part,name,size_bytes\nheader,,1\n")
        sha256 = hashlib.sha256(content).hexdigest()
        journal.finish(trial_id, [point(trial_id=trial_id, path=path, size_bytes=1, sha256=sha256, seed=number)])
    return journal


def end(place: Place, journal: Journal, name: str) -> None:
    """What the end of a sweep does with its tracker, all trials being on the frontier."""
    tracker = Tracker(journal, tracking_uri=place.tracking_uri, sweep_id=name, name=name)
    tracker.sync_all()
    (journal.frontier_directory()).mkdir(exist_ok=True)
    tracker.publish(str(journal.frontier_directory()))
    run_ids = [tracker._runs.get(trial_id) for trial_id in journal.trial_ids()]
    front = [run.run_id for run in run_ids if run is not None]
    tracker.present(
        Presentation(
            experiment_tags={"view": "charts"},
            parent_tags={"mlflow.note.content": "a note"},
            colours={("mlp(hidden=[4])", "epr"): "#123456"},
            pareto=front,
            representative=front,
        )
    )
    tracker.close(interrupted=False)


def test_each_trial_costs_one_request_or_four_of_the_client_and_none_once_all_is_logged(
    place: Place, asked: Counter[str], written: str, tmp_path: Path
) -> None:
    """The one marks a run that is on the frontier."""
    first: dict[int, Counter[str]] = {}
    again: dict[int, Counter[str]] = {}
    for num_trials in (2, 5):
        name = f"of-{num_trials}"
        journal = ended(tmp_path / name, num_trials)
        place.store.prepare(name)
        for counts in (first, again):
            asked.clear()
            end(place, journal, name)
            counts[num_trials] = Counter(asked)
    by_client = {"create_run": 3, "log_batch": 6, "set_terminated": 3}
    assert first[5] - first[2] == ({"log_batch": 3} if written == "whole" else by_client)
    assert again[5] == again[2], "what is logged costs no request of its own"
    assert (first[5]["search_runs"], again[5]["search_runs"]) == (2, 2), "each reads all runs"
    assert again[5].total() <= 8
    runs = MlflowClient(place.tracking_uri).search_runs(
        [str(MlflowClient(place.tracking_uri).get_experiment_by_name("of-5").experiment_id)]
    )
    marked = {"ratefront.pareto": "true", "ratefront.representative": "true", "mlflow.runColor": "#123456"}
    trials = [run for run in runs if run.data.tags["ratefront.kind"] == "trial"]
    assert len(trials) == 5
    assert all(marked.items() <= run.data.tags.items() and run.info.status == "FINISHED" for run in trials)
