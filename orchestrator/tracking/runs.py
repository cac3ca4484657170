"""The MLflow runs of a sweep: each is made once, and found again by its tags when a sweep is resumed.

The sweep is a parent run and each trial a child of it; a trial with several operating points has a child run for each.
Tags tell runs apart: ``ratefront.sweep_id`` and ``ratefront.instance`` name the sweep; ``ratefront.kind`` says whether
a run is the sweep's, a trial's or a point's; ``ratefront.trial_id`` and ``ratefront.point_id`` say which one's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.tracking.store import all_runs
from orchestrator.tracking.whole_runs import RunDatabase, WholeRun

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(kw_only=True)
class KnownRun:
    """What is known of the run of a trial or of a point, without asking MLflow."""

    run_id: str
    artifact_uri: str
    """Where its files go."""
    was_closed: bool = False
    """Whether it was closed when it was found: it is opened again before anything else is written to it."""
    status: str = "RUNNING"
    """What MLflow calls its state."""
    has_params: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The last value of each metric that MLflow has."""
    has_failure: bool = False
    """Whether it has the tag ``ratefront.failure``."""
    has_record: bool = False
    """Whether it had a tag ``ratefront.record`` when it was found; an open run may have it and lack the rest."""
    record: str = ""
    """Fingerprint of the trial's record that MLflow has in full; empty where it has none."""
    last_step: int | None = None
    """Step of the last report that MLflow has, -1 before the first; None where MLflow must be asked."""

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether MLflow has the parameters, and each of the metrics with its value."""
        known = self.metrics
        return self.has_params and all(
            name in known and math.isclose(known[name], value, rel_tol=1e-9) for name, value in metrics.items()
        )


class SweepRuns:
    """The runs of one sweep. One process at a time may use it: two would make a run twice."""

    def __init__(self, client: MlflowClient, experiment: Any, *, sweep_id: str, instance: str) -> None:
        """Know nothing yet: ``find`` asks MLflow.

        Args:
            client: of the store.
            experiment: MLflow's experiment of the sweep; other sweeps may share it.
            sweep_id: the sweep's id.
            instance: tells this sweep from one of the same content elsewhere.
        """
        self._client, self.experiment_id = client, str(experiment.experiment_id)
        self._database = RunDatabase.open(client.tracking_uri, experiment)
        self._identity = {"ratefront.sweep_id": sweep_id, "ratefront.instance": instance}
        self._known: dict[tuple[str, str], KnownRun] = {}  # by trial id, and point id or ""
        self.parent_id = ""
        """Run id of the sweep's own run; empty before there is one."""

    def find(self) -> list[Any]:
        """Learn which runs MLflow has, and return them; of each there is one afterwards.

        Where the reply to a request was lost, the client sent it again, and MLflow made a second run. The run that is
        used and filled is kept.
        """
        found: dict[tuple[str, str, str], list[Any]] = {}
        num_below: Counter[str] = Counter()
        for run in self.search():
            tags = run.data.tags
            kind = tags["ratefront.kind"]
            key = (kind, tags.get("ratefront.trial_id", ""), tags["ratefront.point_id"] if kind == "point" else "")
            found.setdefault(key, []).append(run)
            num_below[tags.get("mlflow.parentRunId", "")] += 1
        kept = {
            key: max(twins, key=lambda run: _use(run, num_below[run.info.run_id], self.parent_id))
            for key, twins in found.items()
        }
        for key, twins in found.items():
            for run in twins:
                if run is not kept[key]:
                    self._client.delete_run(run.info.run_id)
        self._known = {}
        for (kind, trial_id, point_id), run in kept.items():
            if kind == "sweep":
                self.parent_id = run.info.run_id
            else:
                self._known[trial_id, point_id] = _known_of(run)
        for (kind, trial_id, _), run in kept.items():
            above = {"trial": ("sweep", "", ""), "point": ("trial", trial_id, "")}.get(kind)
            if above in kept and run.data.tags.get("mlflow.parentRunId") != kept[above].info.run_id:
                self._client.set_tag(run.info.run_id, "mlflow.parentRunId", kept[above].info.run_id)
        return list(kept.values())

    def search(self, condition: str = "") -> list[Any]:
        """The sweep's runs that meet a condition, oldest first."""
        conditions = [f"tags.`{tag}` = '{value}'" for tag, value in self._identity.items()]
        wanted = " AND ".join([*conditions, condition] if condition else conditions)
        return all_runs(self._client, self.experiment_id, wanted)

    def get(self, trial_id: str, point_id: str = "") -> KnownRun | None:
        """The run of a trial, or of one of its points; None where it has none."""
        return self._known.get((trial_id, point_id))

    def still_open(self) -> list[KnownRun]:
        """The runs of trials and points that have not ended."""
        return [run for run in self._known.values() if run.status == "RUNNING"]

    def make_parent(self, name: str, tags: Mapping[str, str]) -> None:
        """Make the sweep's own run."""
        self.parent_id = str(self._create(name, {"ratefront.kind": "sweep", **self._identity, **tags}).info.run_id)

    def make_trial(self, trial_id: str, name: str, tags: Mapping[str, str]) -> KnownRun:
        """Make the run of a trial, below the sweep's."""
        return self._make(self.parent_id, trial_id, "", name, tags)

    def add_finished(self, trial_id: str, run: WholeRun, record: str) -> bool:
        """Make the run of a trial that has finished, with all that it holds, its files too.

        Args:
            trial_id: the trial, which has no run.
            run: the run; tags that tell runs apart are added.
            record: see ``KnownRun``.

        Returns:
            Whether it was made; else only the client can.
        """
        if self._database is None:
            return False
        tags = {**self._tags("trial", self.parent_id, trial_id), **run.tags}
        added = self._database.add(replace(run, tags=tags))
        if added is None:
            return False
        run_id, artifact_uri = added
        self._known[trial_id, ""] = KnownRun(
            run_id=run_id,
            artifact_uri=artifact_uri,
            status="FINISHED",
            has_params=True,
            metrics={name: value for (name, _), value in run.metrics.items()},
            record=record,
            last_step=max((step for _, step in run.metrics), default=-1),
        )
        return True

    def make_point(self, trial_id: str, point_id: str, name: str, tags: Mapping[str, str]) -> KnownRun:
        """Make the run of one of several points of a trial, below the trial's."""
        return self._make(self._known[trial_id, ""].run_id, trial_id, point_id, name, tags)

    def _make(self, parent: str, trial_id: str, point_id: str, name: str, tags: Mapping[str, str]) -> KnownRun:
        kind = "point" if point_id else "trial"
        run = self._create(name, {**self._tags(kind, parent, trial_id), **tags})
        made = KnownRun(run_id=str(run.info.run_id), artifact_uri=run.info.artifact_uri, last_step=-1)
        self._known[trial_id, point_id] = made
        return made

    def _create(self, name: str, tags: Mapping[str, str]) -> Any:
        return self._client.create_run(self.experiment_id, tags=dict(tags), run_name=name)

    def _tags(self, kind: str, parent: str, trial_id: str) -> dict[str, str]:
        """The tags that tell the run of a trial or of a point from others."""
        above = {"mlflow.parentRunId": parent, "ratefront.trial_id": trial_id}
        return {"ratefront.kind": kind, **self._identity, **above}


def without_tag(client: MlflowClient, run_id: str, tag: str) -> None:
    """Delete the tag of a run, where it has one: a request whose reply was lost is sent again."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

    try:
        client.delete_tag(run_id, tag)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise


def _use(run: Any, num_below: int, parent_id: str) -> tuple[int | bool, ...]:
    """How much a run is used, to be compared with its twins: most of all one that others lie below or that is known,
    then one that ended with its content, then the fuller, then the older."""
    is_whole = run.info.status != "RUNNING" and bool(run.data.metrics)
    num_entries = len(run.data.metrics) + len(run.data.params) + len(run.data.tags)
    return (num_below, run.info.run_id == parent_id, is_whole, num_entries, -run.info.start_time)


def _known_of(run: Any) -> KnownRun:
    is_closed = run.info.status != "RUNNING"  # an open run is not finished, whatever its record says
    return KnownRun(
        run_id=run.info.run_id,
        artifact_uri=run.info.artifact_uri,
        was_closed=is_closed,
        status=run.info.status,
        has_params=bool(run.data.params),
        metrics=run.data.metrics,
        has_failure="ratefront.failure" in run.data.tags,
        has_record="ratefront.record" in run.data.tags,
        record=run.data.tags.get("ratefront.record", "") if is_closed else "",
    )
