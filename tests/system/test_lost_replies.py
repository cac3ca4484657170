"""A third of the replies of the tracking server are lost: MLflow comes to hold what it holds after a quiet run."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from mlflow import MlflowClient

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Ended, Journal, Outcome
from orchestrator.tracking.publishing import Presentation
from orchestrator.tracking.store import Store, is_stores
from orchestrator.tracking.tracker import Tracker
from tests.orchestrator.storage.samples import REPORT
from tests.points import CONFIG, point
from tests.system.lossy import lossy
from tests.system.serving import free_port, server
from trainers.record import OperatingPoint

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

LEAST_LOST, MOST_PASSES = 200, 12
VERBS = {
    *("experiments/create", "experiments/set-experiment-tag", "runs/search"),
    *("runs/create", "runs/update", "runs/log-batch", "runs/set-tag", "runs/delete-tag", "runs/delete"),
}
"""The requests of the tracker, by the end of their paths; what is a file is sent by PUT."""

T = TypeVar("T")


def patiently(call: Callable[..., T], *given: Any, **named: Any) -> T:
    """As the end of a sweep does: a request may be lost ten times."""
    for _ in range(2):
        try:
            return call(*given, **named)
        except Exception as error:
            if not is_stores(error):
                raise
    return call(*given, **named)


def measured(journal: Journal, trial_id: str, point_id: str) -> OperatingPoint:
    """A point with its file and its table."""
    content = f"{trial_id} {point_id}".encode()
    folder = journal.trial_directory(trial_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{point_id}.rfz").write_bytes(content)
    (folder / f"{point_id}.sections.csv").write_text(f"part,name,size_bytes\nheader,,{len(content)}\n")
    return point(
        trial_id=trial_id,
        point_id=point_id,
        path=f"trials/{trial_id}/{point_id}.rfz",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def records(journal: Journal) -> dict[str, Ended]:
    """Three trials with a point, one with two, one that failed and one that was stopped."""
    several = {f"{number:04d}-epr-s0": ["point"] for number in range(3)} | {"0003-epr-s0": ["a", "b"]}
    ended = {
        trial_id: Ended(
            outcome=Outcome.FINISHED,
            points=tuple(measured(journal, trial_id, point_id) for point_id in point_ids),
            ended_at_s=1.0,
        )
        for trial_id, point_ids in several.items()
    }
    ended["0004-epr-s0"] = Ended(outcome=Outcome.FAILED, reason="it broke", details="Traceback", ended_at_s=1.0)
    ended["0005-epr-s0"] = Ended(outcome=Outcome.STOPPED, reason="it was last", ended_at_s=1.0)
    return ended


def track(uri: str, folder: Path, name: str) -> None:
    """All that a tracker does in a sweep: runs while trials run, a kill, the end, and the end once more."""
    journal = Journal(LocalFolder(folder))
    journal.begin_sweep("name: small\n")
    ended = records(journal)
    patiently(Store(tracking_uri=uri).prepare, name)
    made = patiently(Tracker, journal, tracking_uri=uri, sweep_id=name, name=name)
    for number, (trial_id, record) in enumerate(ended.items()):
        journal.begin(trial_id, {**CONFIG, "seed": number}, {"device": "this"})
        journal.append_progress(trial_id, REPORT)
        if number % 2:
            patiently(made.sync, trial_id)
        journal.append_progress(trial_id, {**REPORT, "step": 2})
        if number == 0:  # it fails, and is tried again
            journal.fail(trial_id, "for now")
            patiently(made.sync, trial_id)
            journal.forget_failure(trial_id)
        journal.record(trial_id, record)
    for _ in range(2):
        tracker = patiently(Tracker, journal, tracking_uri=uri, sweep_id=name, name=name)
        patiently(tracker.sync_all)
        assert tracker.behind() == []
        files = folder / "frontier"
        files.mkdir(exist_ok=True)
        (files / "frontier.csv").write_text("size_bytes\n")
        points = patiently(tracker._runs.search, "tags.`ratefront.point` = 'true'")
        run_ids = [run.info.run_id for run in points]
        patiently(tracker.publish, str(files))
        for front in (run_ids[:2], run_ids[2:3]):  # the frontier moves: tags go
            shown = Presentation(
                experiment_tags={"view": "charts"},
                parent_tags={"mlflow.note.content": "a note"},
                colours={("mlp(hidden=[4])", "epr"): "#123456"},
                pareto=front,
                representative=front[:1],
                files={"table.json": "{}"},
            )
            patiently(tracker.present, shown)
        patiently(tracker.report, "<p>a page</p>")
        patiently(tracker.close, interrupted=False)


def held(uri: str, name: str) -> list[Any]:
    """All that MLflow holds of a sweep, but for what differs between two sweeps of one content."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    assert experiment.tags["view"] == "charts"
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    names = {run.info.run_id: run.info.run_name.replace(name, "sweep") for run in runs}
    found = []
    for run in runs:
        own = {key: text for key, text in run.data.tags.items() if key not in OF_THE_SWEEP}
        above = run.data.tags.get("mlflow.parentRunId")
        history = client.get_metric_history(run.info.run_id, "epoch_train_loss")
        found.append(
            (
                names[run.info.run_id],
                run.info.status,
                names[above] if above else "",
                sorted(own.items()),
                sorted(run.data.metrics.items()),
                sorted(run.data.params.items()),
                [(metric.step, metric.value) for metric in history],
                sorted(item.path for item in client.list_artifacts(run.info.run_id)),
            )
        )
    return sorted(found)


OF_THE_SWEEP = {
    *("ratefront.sweep_id", "ratefront.instance", "ratefront.directory"),
    *("mlflow.parentRunId", "mlflow.runName", "mlflow.user", "mlflow.source.git.commit"),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> Iterator[int]:
    """The port of a tracking server."""
    folder, chosen = tmp_path_factory.mktemp("server"), free_port()
    (folder / "mlflow.db").write_bytes(empty_store)
    with server(folder, chosen):
        yield chosen


def test_points_and_runs_are_those_of_a_quiet_run_whatever_replies_are_lost(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    for name, value in {"MAX_RETRIES": "9", "BACKOFF_FACTOR": "0"}.items():  # the defaults of ``prepare``
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)
    direct = f"http://127.0.0.1:{port}"
    with lossy(port) as proxy:
        track(direct, tmp_path / "quiet", "quiet")
        wanted = held(direct, "quiet")
        assert len(wanted) == 1 + 6 + 2
        for number in range(MOST_PASSES):
            track(f"http://127.0.0.1:{proxy.port}", tmp_path / f"lossy{number}", f"lossy{number}")
            assert held(direct, f"lossy{number}") == wanted
            if proxy.num_lost >= LEAST_LOST and number:
                break
    assert proxy.num_lost >= LEAST_LOST
    assert set(proxy.lost) >= VERBS, "each verb lost a reply"


def test_a_record_that_changes_is_logged_though_replies_are_lost(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frontier's sizes, which charts show, are those of the later record."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    with lossy(port) as proxy:
        uri, journal = f"http://127.0.0.1:{proxy.port}", Journal(LocalFolder(tmp_path / "changing"))
        track(uri, tmp_path / "changing", "changing")
        (own,) = [one for one in (journal.ended("0000-epr-s0"),) if one is not None]
        changed = dataclasses.replace(own.points[0], quality_val=0.125)
        journal.record("0000-epr-s0", dataclasses.replace(own, points=(changed,), ended_at_s=2.0))
        tracker = patiently(Tracker, journal, tracking_uri=uri, sweep_id="changing", name="changing")
        assert tracker.behind() == ["0000-epr-s0"]
        patiently(tracker.sync_all)
        (run,) = (
            run
            for run in patiently(tracker._runs.search, "tags.`ratefront.kind` = 'trial'")
            if run.data.tags["ratefront.trial_id"] == "0000-epr-s0"
        )
    assert run.data.metrics["accuracy_val"] == 0.125
