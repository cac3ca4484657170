"""Writing to MLflow: the only file that does, but for a sweep's end, which is publishing.py's. It copies what lies on
the storage path, whoever asks and how often.

The sweep is a parent run, each trial a child; a trial with several operating points has a child run for each.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator import environment
from orchestrator.storage.locations import open_journal
from orchestrator.storage.outcomes import Ended, Outcome
from orchestrator.tracking.names import EPOCH_METRICS, metrics_of, params_of, tags_of
from orchestrator.tracking.publishing import Presentation, present, publish_frontier, publish_report
from orchestrator.tracking.store import _pages
from trainers.config import TrialConfig
from trainers.record import OperatingPoint

if TYPE_CHECKING:
    pass

_BATCH = 800  # metrics in one request: MLflow takes 1,000 with parameters and tags, of which there are fewer than 100
_MAX_NAME = 100
_STATUS = {Outcome.FINISHED: "FINISHED", Outcome.FAILED: "FAILED", Outcome.STOPPED: "KILLED"}


class Tracker:
    """Keeps the MLflow runs of one sweep as its journal is. Every verb may be called again without harm."""

    def __init__(self, *, tracking_uri: str, sweep_id: str, name: str, directory: str) -> None:
        """Create or find the parent run, and find the runs of an earlier attempt.

        Args:
            tracking_uri: of MLflow, after ``prepare``.
            sweep_id: of the sweep.
            name: of the experiment.
            directory: of the sweep, where its journal is, or its address.
        """
        from mlflow import MlflowClient

        self._journal = open_journal(directory)
        self._journal.fetch_all()
        self._identity = {
            "ratefront.sweep_id": sweep_id,
            "ratefront.instance": self._journal.instance or "",
        }
        self._client = MlflowClient(tracking_uri)
        experiment = self._client.get_experiment_by_name(name)
        assert experiment is not None, "prepare() made it"
        self._experiment_id = str(experiment.experiment_id)
        self._runs: dict[tuple[str, str], str] = {}  # (trial id, point id or "") -> run id
        self._logged_step: dict[str, int] = {}
        self._logged_end: dict[str, str] = {}  # trial id -> fingerprint of the record that was logged
        self._stopped: set[str] = set()  # trials whose run was closed by an earlier attempt
        self._with_failure: set[str] = set()
        self._with_params: set[str] = set()  # run ids
        self._artifacts: dict[str, str] = {}  # run id -> where its files go
        self._is_uncertain = False  # whether a call failed whose request may have been carried out
        self._parent = self._find_runs() or self._create_run(
            sweep_id, "sweep", {**_environment(), "ratefront.directory": directory}
        )
        self._client.update_run(self._parent, status="RUNNING")
        self._client.log_artifact(self._parent, str(self._journal.file("sweep.yaml")))

    @property
    def run_id(self) -> str:
        """Of the sweep's own run."""
        return self._parent

    def sync(self, trial_id: str) -> None:
        """Bring one trial's runs up to what is on disk.

        Raises:
            Exception: MLflow's, where it does not answer; the next call finds out how far this one came.
        """
        if self._is_uncertain:
            self._find_runs()
        self._is_uncertain = True
        self._sync(trial_id)
        self._is_uncertain = False

    def _sync(self, trial_id: str) -> None:
        self._journal.fetch(trial_id)
        ended = self._journal.ended(trial_id)
        fingerprint = _fingerprint(ended) if ended else ""
        if ended and self._logged_end.get(trial_id) == fingerprint:
            return
        tags = {"ratefront.record": fingerprint} if ended else {}
        if ended and len(ended.points) == 1:
            tags |= {"ratefront.point": "true", **tags_of(ended.points[0])}
        if (trial_id, "") not in self._runs:
            self._make_trial_run(trial_id, tags)
            tags = {}  # each tag of a run that exists costs a query
        run_id = self._runs[trial_id, ""]
        if trial_id in self._stopped:  # it is tried again, or goes on
            self._client.update_run(run_id, status="RUNNING")
            self._stopped.remove(trial_id)
        if trial_id in self._with_failure:
            self._client.delete_tag(run_id, "ratefront.failure")
            self._with_failure.remove(trial_id)
        content = _Content(params={} if run_id in self._with_params else self._params(trial_id), tags=tags)
        self._add_progress(trial_id, content)
        if ended is not None:
            self._add_ended(trial_id, run_id, ended, content)
        self._write(run_id, content)
        self._with_params.add(run_id)
        self._logged_step[trial_id] = max(self._last_step(trial_id), *(step for _, step in content.metrics), -1)
        if ended is None:
            self._logged_end.pop(trial_id, None)
            return
        self._client.set_terminated(run_id, _STATUS[ended.outcome])
        self._logged_end[trial_id] = fingerprint

    def behind(self) -> list[str]:
        """Trials of which MLflow does not have the record, or which have none yet."""
        logged = self._logged_end
        ids = self._journal.trial_ids()
        ended = ((trial_id, self._journal.ended(trial_id)) for trial_id in ids)
        return [key for key, record in ended if record is None or logged.get(key) != _fingerprint(record)]

    def sync_all(self) -> None:
        """Bring every trial up to date, whatever messages were lost."""
        if self._is_uncertain:
            self._find_runs()
        self._journal.fetch_all()
        for trial_id in self.behind():
            self.sync(trial_id)

    def publish(self, folder: str, *, pareto: Sequence[str], representative: Sequence[str]) -> None:
        """Log the files of ``folder`` to the parent run, and tag exactly these runs as the frontier."""
        publish_frontier(self._client, self._parent, self._search, folder, pareto=pareto, representative=representative)

    def report(self, page: str) -> None:
        """Log the sweep's report, an HTML page, to the parent run."""
        publish_report(self._client, self._parent, page)

    def present(self, presentation: Presentation) -> None:
        """Prepare the UI: views, colours, the note and tables of the parent run."""
        present(self._client, self._experiment_id, self._parent, self._search, presentation)

    def close(self, *, interrupted: bool) -> None:
        """Leave no run open."""
        for run in self._search("attributes.status = 'RUNNING'"):
            if run.info.run_id == self._parent:
                continue
            if "ratefront.record" in run.data.tags:  # it was made with it and never filled: it is still to be
                self._client.delete_tag(run.info.run_id, "ratefront.record")
            self._client.set_terminated(run.info.run_id, "KILLED")
        self._client.set_terminated(self._parent, "KILLED" if interrupted else "FINISHED")

    def _find_runs(self) -> str | None:
        """Fill in the runs of an earlier attempt; returns the parent's id."""
        parent = None
        self._runs, self._stopped, self._with_failure, self._with_params = {}, set(), set(), set()
        for run in self._search():
            tags, run_id = run.data.tags, run.info.run_id
            kind, trial_id = tags["ratefront.kind"], tags.get("ratefront.trial_id", "")
            if kind == "sweep":
                if parent is not None:
                    self._client.delete_run(run_id)
                parent = parent or run_id
                continue
            key = (trial_id, tags["ratefront.point_id"] if kind == "point" else "")
            if self._runs.get(key, run_id) != run_id:  # made twice: the answer to the first request was lost
                self._client.delete_run(run_id)
                continue
            self._runs[key], self._artifacts[run_id] = run_id, run.info.artifact_uri
            if run.data.params:
                self._with_params.add(run_id)
            if kind == "trial":
                self._logged_step.pop(trial_id, None)  # asked for where it is needed
                if "ratefront.failure" in tags:
                    self._with_failure.add(trial_id)
                if run.info.status != "RUNNING":  # else it was not closed, whatever its record says
                    self._stopped.add(trial_id)
                    self._logged_end[trial_id] = tags.get("ratefront.record", "")
        return parent

    def _make_trial_run(self, trial_id: str, known: dict[str, str]) -> None:
        config = self._journal.config(trial_id)
        assert config is not None, "only trials that began are tracked"
        tags = {
            "mlflow.parentRunId": self._parent,
            "ratefront.trial_id": trial_id,
            "ratefront.config_hash": TrialConfig.from_dict(config).config_hash,
            **{f"ratefront.{key}": text for key, text in self._journal.environment(trial_id).items()},
            **known,
        }
        self._runs[trial_id, ""] = self._create_run(self._run_name(trial_id), "trial", tags)
        self._logged_step[trial_id] = -1

    def _create_run(self, name: str, kind: str, tags: dict[str, str]) -> str:
        tags = {"ratefront.kind": kind, **self._identity, **tags}
        run = self._client.create_run(self._experiment_id, tags=tags, run_name=name)
        self._artifacts[run.info.run_id] = run.info.artifact_uri
        return str(run.info.run_id)

    def _params(self, trial_id: str) -> dict[str, str]:
        config = self._journal.config(trial_id)
        assert config is not None, "only trials that began are tracked"
        return params_of(config)

    def _run_name(self, trial_id: str, *point_id: str) -> str:
        """With the architecture, because charts tell runs apart by name: a trial's id has the method and the seed."""
        return f"{'/'.join([trial_id, *point_id])} {self._params(trial_id)['architecture'][:_MAX_NAME]}"

    def _last_step(self, trial_id: str) -> int:
        """Of the reports that MLflow has."""
        if trial_id not in self._logged_step:
            history = self._client.get_metric_history(self._runs[trial_id, ""], "epoch_train_loss")
            self._logged_step[trial_id] = max((metric.step for metric in history), default=-1)
        return self._logged_step[trial_id]

    def _add_progress(self, trial_id: str, content: _Content) -> None:
        for row in self._journal.progress(trial_id):
            if row["step"] <= self._last_step(trial_id):
                continue
            for key, name in EPOCH_METRICS.items():
                content.metrics[name, row["step"]] = row[key]
            content.metrics[f"epoch_{row['quality_name']}_val", row["step"]] = row["quality_val"]

    def _add_ended(self, trial_id: str, run_id: str, ended: Ended, content: _Content) -> None:
        """What a trial came to; its files, and its points' own runs, are written now."""
        if ended.outcome is Outcome.FAILED:
            content.tags["ratefront.failure"] = ended.reason[:5000]
            self._with_failure.add(trial_id)
            if ended.details:
                self._client.log_text(run_id, ended.details, "failure.txt")
        elif ended.outcome is Outcome.STOPPED:
            content.tags["ratefront.stopped"] = ended.reason[:5000]
        elif len(ended.points) == 1:
            self._add_point(ended.points[0], run_id, content)
            content.params = self._params(trial_id)  # again: a reader needs them, a kill may have lost them
        else:
            for point in ended.points:
                below = self._point_run(trial_id, point, run_id)
                own = _Content(params=self._params(trial_id))
                self._add_point(point, below, own)
                self._write(below, own)
                self._client.set_terminated(below, "FINISHED")

    def _write(self, run_id: str, content: _Content) -> None:
        """In one request, or where there are many metrics in several; tags come last."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for (name, step), value in content.metrics.items()]
        batches = [metrics[start : start + _BATCH] for start in range(0, len(metrics), _BATCH)] or [[]]
        for number, batch in enumerate(batches, start=1):
            self._client.log_batch(
                run_id,
                metrics=batch,
                params=[Param(key, text) for key, text in content.params.items()] if number == 1 else [],
                tags=[RunTag(key, text) for key, text in content.tags.items()] if number == len(batches) else [],
            )

    def _point_run(self, trial_id: str, point: OperatingPoint, trial_run: str) -> str:
        key = (trial_id, point.point_id)
        if key not in self._runs:
            tags = {
                "mlflow.parentRunId": trial_run,
                "ratefront.trial_id": trial_id,
                "ratefront.point": "true",
                **tags_of(point),
            }
            self._runs[key] = self._create_run(self._run_name(trial_id, point.point_id), "point", tags)
        return self._runs[key]

    def _add_point(self, point: OperatingPoint, run_id: str, content: _Content) -> None:
        content.metrics |= {(name, 0): value for name, value in metrics_of(point).items()}
        path = self._journal.file(point.path)
        sections = self._journal.file(str(Path(point.path).with_suffix(".sections.csv")))
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(path, folder)
            shutil.copy(sections, Path(folder) / "sections.csv")
            self._log_files(run_id, folder)

    def _log_files(self, run_id: str, folder: str) -> None:
        """As the client does, which asks for each run where its files go."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        repository: Any = get_artifact_repository(self._artifacts[run_id], tracking_uri=self._client.tracking_uri)
        repository.log_artifacts(folder)

    def _search(self, condition: str = "") -> list[Any]:
        """The runs of this instance, oldest first."""
        conditions = [f"tags.`{tag}` = '{value}'" for tag, value in self._identity.items()]
        return _pages(
            self._client, self._experiment_id, " AND ".join([*conditions, condition] if condition else conditions)
        )


@dataclass(kw_only=True)
class _Content:
    """What is to be written to a run."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[tuple[str, int], float] = field(default_factory=dict)
    """By name and step."""
    tags: dict[str, str] = field(default_factory=dict)


def _fingerprint(ended: Ended) -> str:
    """Changes with each attempt, its outcome, and the bytes of any file."""
    content = [ended.outcome.value, ended.ended_at_s, *(point.sha256 for point in ended.points)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _environment() -> dict[str, str]:
    tags = {f"ratefront.{key}": text for key, text in environment.versions().items()}
    commit = environment.commit()
    return {**tags, "mlflow.source.git.commit": commit} if commit else tags
