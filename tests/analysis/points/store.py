"""A real MLflow database with the orchestrator's layout."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Writer:
    """Writes what the orchestrator's tracker writes."""

    def __init__(self, client: MlflowClient, experiment_id: str, sweep_id: str, **tags: str) -> None:
        self.client, self.experiment_id, self.sweep_id = client, experiment_id, sweep_id
        self.tags = {"ratefront.instance": tags.pop("instance", "")}
        self.parent = self.run("sweep", {f"ratefront.{name}": value for name, value in tags.items()})

    def run(self, kind: str, tags: dict[str, str]) -> str:
        tags = {"ratefront.kind": kind, "ratefront.sweep_id": self.sweep_id, **self.tags, **tags}
        time.sleep(0.002)  # MLflow orders by milliseconds
        return str(self.client.create_run(self.experiment_id, tags=tags).info.run_id)

    def trial(
        self,
        trial_id: str,
        num_points: int,
        status: str = "FINISHED",
        *,
        config_hash: str = "abc",
        file: bytes = b"",
        measured: Mapping[str, float] | None = None,
        **params: str,
    ) -> str:
        """Log one trial and its points; returns the trial's run.

        Every point names ``file``, which is not written here. ``measured`` has the metrics that differ from the usual.
        """
        from mlflow.entities import Metric, Param, RunTag

        trial_tags = {"mlflow.parentRunId": self.parent, "ratefront.trial_id": trial_id}
        trial_run = self.run("trial", {**trial_tags, "ratefront.config_hash": config_hash})
        params = {
            "task": "digits",
            "architecture": "mlp(hidden=[64])",
            "method": "epr",
            "seed": "1",
            "steps": "9",
        } | params
        for index in range(num_points):
            run_id = trial_run
            if num_points > 1:
                run_id = self.run("point", {**trial_tags, "mlflow.parentRunId": trial_run})
            metrics = {
                "size_bytes": 1000.0 + index,
                "accuracy": 0.95,
                "accuracy_val": 0.96,
                "compression_ratio": 19.24,
                "num_parameters": 4810.0,
                "macs": 4736.0,
                "num_steps": 2000.0,
                "train_s": 1.5,
                "uncompressed_bytes": 19240.0,
                "epoch_train_loss": 0.1,
            } | dict(measured or {})
            tags = {
                "point": "true",
                "point_id": str(index),
                "config_hash": config_hash,
                "sha256": hashlib.sha256(file).hexdigest(),
                "path": f"{trial_id}/{index}.rfz",
                "quality_name": "accuracy",
                "maximise": "true",
            }
            self.client.log_batch(
                run_id,
                [Metric(name, value, 0, 0) for name, value in metrics.items()],
                [Param(name, value) for name, value in params.items()],
                [RunTag(f"ratefront.{name}", value) for name, value in tags.items()],
            )
            if run_id != trial_run:
                self.client.set_terminated(run_id, status)
        self.client.set_terminated(trial_run, status)
        return trial_run


ODD_TEXT = "ä 𝄞 'single' \"double\" `back` %s :name \\ {}\n\tsecond line; -- DROP"


def write_everything(client: MlflowClient, artifacts: str) -> None:
    """Write all that may be in a store: sweeps in several experiments, what was deleted, and every oddity of runs."""
    from mlflow.entities import Metric

    first, second, gone = (client.create_experiment(name, artifacts) for name in ("first", "second", "gone"))
    old = Writer(client, first, "digits-00000001", directory="/sweeps/old", instance="1")
    old.trial("t0", 1, **{"method.lam": "0.3"})
    old.trial("t1", 2, config_hash="nan", measured={"accuracy": float("nan"), "accuracy_val": float("inf")})
    deleted = old.trial("t2", 1, config_hash="deleted")
    client.delete_run(deleted)
    client.set_terminated(old.parent, "KILLED")

    new = Writer(client, second, "digits-00000002", directory=ODD_TEXT)
    steps = new.trial("t0", 1, config_hash="steps")
    for step, value in ((5, 0.5), (7, 0.7), (7, 0.6), (6, 0.9)):
        client.log_metric(steps, "accuracy", value, timestamp=step, step=step)
    odd = new.trial("t1", 1, config_hash="odd", **{"method.note": ODD_TEXT, "architecture": "mlp", "seed": "7"})
    client.set_tag(odd, "ratefront.zero_weights", "layer.weight," * 600)
    client.set_tag(odd, "ratefront.others", '{"top-5":{"maximise":true,"quality":0.1,"quality_val":0.3}}')
    client.set_tag(odd, "mlflow.note.content", ODD_TEXT * 100)
    client.set_tag(odd, ODD_TEXT[:1], ODD_TEXT)
    client.log_batch(odd, [Metric("other", -float("inf"), 0, 0)])
    new.trial("t2", 0, status="FAILED", config_hash="steps")
    new.trial("t3", 1, status="KILLED", seed="4")
    new.run("trial", {"ratefront.trial_id": "t4"})

    Writer(client, second, "empty-00000003")
    client.create_run(second, tags={"mlflow.note": "somebody else's"})
    client.create_run(first, tags={"ratefront.kind": "", "ratefront.point": "false"}, start_time=0)
    lost = Writer(client, gone, "lost-00000004")
    lost.trial("t0", 1)
    client.delete_experiment(gone)
    client.set_experiment_tag(second, "mlflow.sharedViewState.digits-00000002-frontier", "a view")
