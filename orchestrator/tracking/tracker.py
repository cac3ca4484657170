"""Copies a sweep's journal to MLflow while it runs and at its end: trials, their points, and how they ended.

The journal is the truth: whoever asks and however often, MLflow comes to hold the same. The frontier, the report and
the views of MLflow's UI, which come at a sweep's end, are written by ``publishing.py``.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.points.metric_names import quality_metric
from orchestrator import environment
from orchestrator.storage.damage import DamagedError
from orchestrator.storage.journal import Ended, Journal, Outcome
from orchestrator.storage.measured import measured, sections
from orchestrator.storage.pictures import picture_of, read_picture
from orchestrator.tracking.names import EPOCH_METRICS, metrics_of, params_of, run_name, tags_of
from orchestrator.tracking.publishing import Presentation, present, publish_frontier, publish_report
from orchestrator.tracking.runs import KnownRun, SweepRuns, without_tag
from orchestrator.tracking.whole_runs import WholeRun
from trainers.config import TrialConfig
from trainers.record import OperatingPoint

_BATCH = 800  # metrics in one request: MLflow takes 1,000 with parameters and tags, of which there are fewer than 100
_MAX_TAG_LENGTH = 5000
_STATUS = {Outcome.FINISHED: "FINISHED", Outcome.FAILED: "FAILED", Outcome.STOPPED: "KILLED"}


class Tracker:
    """Keeps the MLflow runs of one sweep as its journal is. Every verb may be called again without harm.

    Two trackers of a sweep at the same time could make a run twice: end one before another begins.
    """

    def __init__(self, journal: Journal, *, tracking_uri: str, sweep_id: str, name: str) -> None:
        """Make the sweep's own run, or find it and the runs of an earlier attempt.

        Args:
            journal: of the sweep, which has begun.
            tracking_uri: MLflow's address, after ``Store.prepare``.
            sweep_id: the sweep's id.
            name: name of the sweep and of its experiment.
        """
        from mlflow import MlflowClient

        self._journal = journal
        journal.fetch_all()
        self._client = MlflowClient(tracking_uri)
        experiment = self._client.get_experiment_by_name(name)
        assert experiment is not None, "Store.prepare() made it"
        self._runs = SweepRuns(self._client, experiment, sweep_id=sweep_id, instance=journal.instance or "")
        self._is_uncertain = False  # whether a call failed whose request may have been carried out
        self._has_written = True  # whether a run was written to, and so perhaps made twice, since all were found
        self.unlogged: dict[str, str] = {}
        """Why ``sync_all`` could not log a trial whose files are missing or changed, by trial id."""
        self.left_out: list[str] = []
        """What is missing of trials that were logged, in a line for each file."""
        self._find()
        if not self._runs.parent_id:
            self._has_written = True
            self._runs.make_parent(sweep_id, _environment())
        self._client.set_tag(self.run_id, "ratefront.directory", journal.location)  # the storage may have moved
        self._client.update_run(self.run_id, status="RUNNING")
        self._client.log_artifact(self.run_id, str(journal.file("sweep.yaml")))

    @property
    def run_id(self) -> str:
        """Id of the sweep's own run."""
        return self._runs.parent_id

    def sync(self, trial_id: str) -> None:
        """Bring one trial's runs up to what the journal has.

        Raises:
            DamagedError: a file is missing, or is not the one that was measured; nothing is logged.
            Exception: MLflow's, where it does not answer; the next call finds out how far this one came.
        """
        self._find_again()
        self._journal.fetch(trial_id)
        ended = self._journal.ended(trial_id)
        if ended is not None:
            if self._is_logged(trial_id, ended):
                return
            for point in ended.points:
                measured(self._journal, point)
        self._is_uncertain = self._has_written = True
        if ended is None or not self._add_finished(trial_id, ended):
            self._sync(trial_id, ended)
        self._is_uncertain = False

    def sync_all(self) -> None:
        """Bring every trial up to date, whatever messages were lost; ``unlogged`` says for which that failed."""
        self._find_again()
        self._journal.fetch_all()
        for trial_id in self.behind():
            try:
                self.sync(trial_id)
            except DamagedError as error:  # it costs this trial, and no other
                self.unlogged[trial_id] = (
                    f"{error}; trial {trial_id} is not in MLflow: remove its ended.json, and 'ratefront sweep' with "
                    "--resume trains it again"
                )

    def behind(self) -> list[str]:
        """Trials of which MLflow does not hold what their record says, or that have no record yet."""
        return [
            trial_id
            for trial_id in self._journal.trial_ids()
            if (ended := self._journal.ended(trial_id)) is None or not self._is_logged(trial_id, ended)
        ]

    def publish(self, folder: str) -> None:
        """Log the files of ``folder``, which show the frontier, to the sweep's own run."""
        publish_frontier(self._client, self._runs, folder)

    def report(self, page: str) -> None:
        """Log the sweep's report, an HTML page, to its own run."""
        publish_report(self._client, self._runs, page)

    def present(self, presentation: Presentation) -> None:
        """Prepare the UI: views, colours, the frontier's runs, and the note and tables of the sweep's own run."""
        present(self._client, self._runs, presentation)
        self._has_written = False  # it found all runs first, and made none

    def close(self, *, interrupted: bool) -> None:
        """Leave no run open, and none that was made twice."""
        if self._has_written:
            self._find()
        for run in self._runs.still_open():
            if run.has_record:  # it was made with it and never filled: it is still to be
                without_tag(self._client, run.run_id, "ratefront.record")
            self._end(run, "KILLED")
        self._client.set_terminated(self.run_id, "KILLED" if interrupted else "FINISHED")

    def _find(self) -> None:
        self._runs.find()
        self._has_written = False

    def _find_again(self) -> None:
        if self._is_uncertain:
            self._find()

    def _sync(self, trial_id: str, ended: Ended | None) -> None:
        tags = _record_tags(ended) if ended is not None else {}
        run = self._runs.get(trial_id)
        if run is None:
            run = self._make_trial_run(trial_id, tags)
            tags = {}  # each tag of a run that exists costs a query
        if run.was_closed:  # the trial is tried again, or goes on
            self._client.update_run(run.run_id, status="RUNNING")
            run.was_closed, run.status = False, "RUNNING"
        if run.has_failure:
            without_tag(self._client, run.run_id, "ratefront.failure")
            run.has_failure = False
        content = _Content(params={} if run.has_params else params_of(self._config(trial_id)), tags=tags)
        last_step = self._last_step(run)
        self._add_progress(trial_id, last_step, content)
        if ended is not None:
            self._add_ended(trial_id, run, ended, content)
        else:
            early = self._journal.points(trial_id)
            self._add_runs(trial_id, [point for point in early if not self._has_run(trial_id, point)])
        self._write(run, content)
        run.last_step = max(last_step, *(step for _, step in content.metrics), -1)
        run.record = ""
        if ended is not None:
            self._end(run, _STATUS[ended.outcome])
            run.record = _fingerprint(ended)

    def _add_finished(self, trial_id: str, ended: Ended) -> bool:
        """Make the run of a trial that nobody saw running, in one step, where the store lets it."""
        if self._runs.get(trial_id) is not None or not _is_own_point(ended):
            return False
        (point,) = ended.points
        content, config = _Content(), self._config(trial_id)
        self._add_progress(trial_id, -1, content)
        run = WholeRun(
            name=run_name(config, trial_id),
            tags={**self._own_tags(trial_id, config), **_record_tags(ended)},
            params=params_of(config),
            metrics={**content.metrics, **{(name, 0): value for name, value in metrics_of(point).items()}},
            files=self._files(point),
            began_at_s=ended.ended_at_s - point.train_s,
            ended_at_s=ended.ended_at_s,
        )
        return self._runs.add_finished(trial_id, run, _fingerprint(ended))

    def _is_logged(self, trial_id: str, ended: Ended) -> bool:
        """Whether MLflow holds what the record says; its tag alone does not show it."""
        run = self._runs.get(trial_id)
        if run is None or run.record != _fingerprint(ended) or run.status != _STATUS[ended.outcome]:
            return False
        if _is_own_point(ended):
            return run.holds(metrics_of(ended.points[0]))
        return all(self._has_run(trial_id, point) for point in ended.points)

    def _has_run(self, trial_id: str, point: OperatingPoint) -> bool:
        """Whether the point has a run of its own that holds what was measured."""
        run = self._runs.get(trial_id, point.point_id)
        return run is not None and run.status == "FINISHED" and run.holds(metrics_of(point))

    def _end(self, run: KnownRun, status: str) -> None:
        self._client.set_terminated(run.run_id, status)
        run.status = status

    def _make_trial_run(self, trial_id: str, tags: dict[str, str]) -> KnownRun:
        config = self._config(trial_id)
        return self._runs.make_trial(trial_id, run_name(config, trial_id), {**self._own_tags(trial_id, config), **tags})

    def _own_tags(self, trial_id: str, config: dict[str, Any]) -> dict[str, str]:
        """Tags that say what a trial is and what it runs on."""
        environment_tags = {f"ratefront.{key}": text for key, text in self._journal.environment(trial_id).items()}
        return {"ratefront.config_hash": TrialConfig.from_dict(config).config_hash, **environment_tags}

    def _make_point_run(self, trial_id: str, point: OperatingPoint) -> KnownRun:
        name = run_name(self._config(trial_id), trial_id, point.point_id)
        tags = {"ratefront.point": "true", **tags_of(point)}
        return self._runs.make_point(trial_id, point.point_id, name, tags)

    def _config(self, trial_id: str) -> dict[str, Any]:
        config = self._journal.config(trial_id)
        assert config is not None, "only trials that began are tracked"
        return config

    def _last_step(self, run: KnownRun) -> int:
        """Step of the last report that MLflow has."""
        if run.last_step is None:
            history = self._client.get_metric_history(run.run_id, "epoch_train_loss")
            run.last_step = max((metric.step for metric in history), default=-1)
        return run.last_step

    def _add_progress(self, trial_id: str, last_step: int, content: _Content) -> None:
        for row in self._journal.progress(trial_id):
            if row["step"] <= last_step:
                continue
            for key, name in EPOCH_METRICS.items():
                content.metrics[name, row["step"]] = row[key]
            content.metrics[f"epoch_{quality_metric(row['quality_name'])}_val", row["step"]] = row["quality_val"]

    def _add_ended(self, trial_id: str, run: KnownRun, ended: Ended, content: _Content) -> None:
        """Add a trial's outcome to ``content``; its files, and the runs of its points, are written now."""
        if ended.outcome is Outcome.FAILED:
            content.tags["ratefront.failure"] = ended.reason[:_MAX_TAG_LENGTH]
            run.has_failure = True
            if ended.details:
                self._client.log_text(run.run_id, ended.details, "failure.txt")
        elif ended.outcome is Outcome.STOPPED:
            content.tags["ratefront.stopped"] = ended.reason[:_MAX_TAG_LENGTH]
        if _is_own_point(ended):
            self._add_point(ended.points[0], run, content)
            content.params = params_of(self._config(trial_id))  # again: a reader needs them, a kill may have lost them
        else:
            self._add_runs(trial_id, ended.points)

    def _add_runs(self, trial_id: str, points: Sequence[OperatingPoint]) -> None:
        """Give each point a run of its own."""
        for point in points:
            run = self._runs.get(trial_id, point.point_id) or self._make_point_run(trial_id, point)
            content = _Content(params=params_of(self._config(trial_id)), tags=tags_of(point))
            self._add_point(point, run, content)
            self._write(run, content)
            self._end(run, "FINISHED")

    def _add_point(self, point: OperatingPoint, run: KnownRun, content: _Content) -> None:
        content.metrics |= {(name, 0): value for name, value in metrics_of(point).items()}
        with tempfile.TemporaryDirectory() as folder:
            for name, file in self._files(point).items():
                (Path(folder) / name).write_bytes(file)
            self._log_files(run, folder)

    def _files(self, point: OperatingPoint) -> dict[str, bytes]:
        """The files of a point, as they were measured, by their names in MLflow."""
        files = {Path(point.path).name: measured(self._journal, point)}
        if point.signal_unit and (picture := read_picture(self._journal, picture_of(point.path))) is not None:
            files[Path(picture_of(point.path)).name] = picture
        try:
            files["sections.csv"] = sections(self._journal, point)
        except DamagedError as error:
            line = f"{error}; MLflow has trial {point.trial_id} without it"
            self.left_out += [line] if line not in self.left_out else []
        return files

    def _log_files(self, run: KnownRun, folder: str) -> None:
        """Log as the client does, without its request for where a run's files go."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        repository: Any = get_artifact_repository(run.artifact_uri, tracking_uri=self._client.tracking_uri)
        repository.log_artifacts(folder)

    def _write(self, run: KnownRun, content: _Content) -> None:
        """Write in one request, or where there are many metrics in several; tags come last."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for (name, step), value in content.metrics.items()]
        batches = [metrics[start : start + _BATCH] for start in range(0, len(metrics), _BATCH)] or [[]]
        for number, batch in enumerate(batches, start=1):
            self._client.log_batch(
                run.run_id,
                metrics=batch,
                params=[Param(key, text) for key, text in content.params.items()] if number == 1 else [],
                tags=[RunTag(key, text) for key, text in content.tags.items()] if number == len(batches) else [],
            )
        run.has_params = run.has_params or bool(content.params)
        run.metrics = {**run.metrics, **{name: value for (name, _), value in content.metrics.items()}}


@dataclass(kw_only=True)
class _Content:
    """What is to be written to a run."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[tuple[str, int], float] = field(default_factory=dict)
    """Values by name and step."""
    tags: dict[str, str] = field(default_factory=dict)


def _record_tags(ended: Ended) -> dict[str, str]:
    """Tags of a trial's run from its record: of its one point, where it has one."""
    tags = {"ratefront.record": _fingerprint(ended)}
    if _is_own_point(ended):
        tags |= {"ratefront.point": "true", **tags_of(ended.points[0])}
    return tags


def _is_own_point(ended: Ended) -> bool:
    """Whether the trial's run is that of its point; where there may be several, each has a run of its own."""
    return ended.outcome is Outcome.FINISHED and len(ended.points) == 1


def _fingerprint(ended: Ended) -> str:
    """Changes with each attempt, its outcome, and the bytes of any file."""
    content = [ended.outcome.value, ended.ended_at_s, *(point.sha256 for point in ended.points)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _environment() -> dict[str, str]:
    """Tags that say which versions and which commit wrote a sweep."""
    tags = {f"ratefront.{key}": text for key, text in environment.versions().items()}
    commit = environment.commit()
    return {**tags, "mlflow.source.git.commit": commit} if commit else tags
