"""Submits to Kubernetes: a KubeRay RayJob, which has a cluster of its own, and a ConfigMap with the sweep."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import Field

from analysis.units import format_size
from orchestrator.storage.bucket import is_remote
from orchestrator.submission.base import AbstractSubmitter, State, Submission, SubmitError, check_same, short_name
from orchestrator.submission.pods import SWEEPS, Pods

_POLL_S = 3.0
_FOLDER = "/etc/ratefront/submission"
_LARGEST = 900_000
"""Bytes that a submission may have; a ConfigMap holds one MiB."""
_FINAL = {"SUCCEEDED": State.FINISHED, "FAILED": State.FAILED, "STOPPED": State.CANCELLED}


class KubeRay(AbstractSubmitter):
    """A namespace of a Kubernetes cluster with KubeRay, prepared as ``infra/kuberay`` does it; needs ``kubectl``.

    A handle is kubectl's context, a slash, and the name of the RayJob.
    """

    context: str = ""
    """The context of ``kubectl``; empty: its current one."""
    namespace: str = "ratefront"
    image: str = "ratefront:0.1.0"
    """Image with ratefront, in the version that submits, and for GPUs torch with CUDA."""
    workers: int = Field(default=4, ge=1)
    """Most workers. They come as trials ask for them and go when idle; with a queue they come all at once."""
    cpus: int = Field(default=4, ge=1)
    """Cores of a worker; ``memory`` and ``gpus`` are a worker's too. One worker to a node is best."""
    memory: str = "12Gi"
    gpus: int = Field(default=0, ge=0)
    queue: str = ""
    """Kueue's local queue, which admits all pods together or none."""
    deadline_s: int = Field(default=7 * 24 * 3600, ge=60)
    """Seconds after which the whole job is ended, whatever it is at."""
    retries: int = Field(default=0, ge=0)
    """Retries, each with a new cluster, after the head was lost or a trial failed: KubeRay cannot tell them apart."""

    def manifests(self, submission: Submission) -> list[dict[str, Any]]:
        """The ConfigMap and the RayJob that ``kubectl create`` is given.

        Raises:
            SubmitError: the storage is neither a bucket nor on the volume that all pods share.
        """
        is_bucket = is_remote(submission.storage)
        if not is_bucket and submission.storage != SWEEPS and not submission.storage.startswith(f"{SWEEPS}/"):
            raise SubmitError(
                f"--storage is {submission.storage!r}: wanted {SWEEPS}, where all pods have their volume, or a bucket, "
                "such as s3://bucket/sweeps"
            )
        name = _name(submission.sweep_id)
        labels = {"app.kubernetes.io/name": "ratefront", "app.kubernetes.io/managed-by": "ratefront"}
        labels["ratefront/fingerprint"] = submission.fingerprint
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        keys = {f"own-{number}": path for number, path in enumerate(sorted(submission.own))}
        own = {key: base64.b64encode(submission.own[path]).decode() for key, path in keys.items()}
        config_map = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"sweep.yaml": submission.sweep_file},
            **({"binaryData": own} if own else {}),
        }
        items = [{"key": "sweep.yaml", "path": "sweep.yaml"}]
        items += [{"key": key, "path": f"own/{path}"} for key, path in keys.items()]
        pods = Pods(
            image=self.image,
            env={**({"PYTHONPATH": f"{_FOLDER}/own"} if own else {}), **submission.env},
            volume={"name": "submission", "configMap": {"name": name, "items": items}},
            mount={"name": "submission", "mountPath": _FOLDER, "readOnly": True},
            is_bucket=is_bucket,
        )
        command = ["ratefront", *submission.arguments(f"{_FOLDER}/sweep.yaml")]
        ray_job = {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {**metadata, "labels": {**labels, **self._queue_label()}},
            "spec": {
                "entrypoint": shlex.join(command),
                "submissionMode": "K8sJobMode",
                "submitterPodTemplate": pods.submitter(),
                "shutdownAfterJobFinishes": True,
                "activeDeadlineSeconds": self.deadline_s,
                "backoffLimit": self.retries,  # the same command goes on with the sweep
                "rayClusterSpec": self._cluster(pods),
            },
        }
        return [config_map, ray_job]

    def render(self, submission: Submission) -> str:
        return yaml.dump_all(self.manifests(submission), Dumper=_Dumper, sort_keys=False, width=120)

    def find(self, submission: Submission) -> str | None:
        handle = f"{self._current()}/{_name(submission.sweep_id)}"
        found = self._get(handle)
        if found is None or _state(found.get("status", {})).is_over:
            return None
        check_same(submission, found["metadata"].get("labels", {}).get("ratefront/fingerprint", ""))
        return handle

    def submit(self, submission: Submission) -> str:
        size = len(submission.sweep_file) + sum(map(len, submission.own.values()))
        if size > _LARGEST:
            raise SubmitError(
                f"the sweep and your own modules are {format_size(size)}: wanted at most {format_size(_LARGEST)}; "
                "build them into an image instead, and give it with --with image=..."
            )
        text = self.render(submission)
        context = self._current()
        handle = f"{context}/{_name(submission.sweep_id)}"
        self.cancel(handle)  # removes an earlier one, which is over
        self._kubectl(context, "create", "--filename=-", text=text)  # apply would keep a second copy, which has no room
        return handle

    def status(self, handle: str) -> State:
        found = self._get(handle)
        return State.GONE if found is None else _state(found.get("status", {}))

    def logs(self, handle: str, *, follow: bool) -> Iterator[str]:
        if not follow:
            yield from self._said(handle)
            return
        while True:  # a retry prints anew
            while self.status(handle) is State.WAITING:
                time.sleep(_POLL_S)
            yield from self._said(handle, "--follow")
            while (state := self.status(handle)) is State.RUNNING:  # KubeRay notices the end after us
                time.sleep(_POLL_S)
            if state.is_over:
                return

    def _said(self, handle: str, *options: str) -> Iterator[str]:
        context, _, name = handle.rpartition("/")
        command = self._command(context, "logs", f"job/{name}", "--tail=-1", *options)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                yield from (line.rstrip("\n") for line in process.stdout)
                if process.wait():
                    raise SubmitError(f"kubectl: {' '.join(process.stderr.read().split())}")
            finally:
                process.terminate()

    def cancel(self, handle: str) -> None:
        context, _, name = handle.rpartition("/")
        self._kubectl(context, "delete", f"rayjobs.ray.io/{name}", f"configmaps/{name}", "--ignore-not-found")

    def _get(self, handle: str) -> dict[str, Any] | None:
        """The RayJob; None where there is none."""
        context, _, name = handle.rpartition("/")
        answer = self._kubectl(context, "get", "rayjobs.ray.io", name, "--ignore-not-found", "--output=json")
        return dict(json.loads(answer)) if answer.strip() else None

    def _current(self) -> str:
        """The context to keep in a handle: another shell may change the current one before it is used again."""
        return self.context or self._kubectl("", "config", "current-context").strip()

    def _cluster(self, pods: Pods) -> dict[str, Any]:
        scaling = {} if self.queue else {"enableInTreeAutoscaling": True, "autoscalerOptions": pods.autoscaler()}
        size = {"cpu": str(self.cpus), "memory": self.memory, **({"nvidia.com/gpu": self.gpus} if self.gpus else {})}
        least = self.workers if self.queue else 0
        return {
            "rayVersion": _ray_version(),
            "authOptions": {"mode": "token"},  # KubeRay makes one for this cluster alone
            **scaling,
            "headGroupSpec": {
                "serviceType": "ClusterIP",
                "rayStartParams": {"num-cpus": "0"},
                "template": pods.head(scales=not self.queue),
            },
            "workerGroupSpecs": [
                {
                    "groupName": "gpu" if self.gpus else "cpu",
                    "replicas": least,
                    "minReplicas": least,
                    "maxReplicas": self.workers,
                    "rayStartParams": {},
                    "template": pods.worker(size),
                }
            ],
        }

    def _queue_label(self) -> dict[str, str]:
        return {"kueue.x-k8s.io/queue-name": self.queue} if self.queue else {}

    def _command(self, context: str, *arguments: str) -> list[str]:
        there = [f"--context={context}", f"--namespace={self.namespace}"] if context else []
        return ["kubectl", *there, *arguments]

    def _kubectl(self, context: str, *arguments: str, text: str | None = None) -> str:
        """Run ``kubectl``; returns what it prints.

        Raises:
            SubmitError: it failed, or is not installed.
        """
        try:
            done = subprocess.run(
                self._command(context, *arguments), input=text, capture_output=True, text=True, check=False, timeout=120
            )
        except OSError as error:
            raise SubmitError("kubectl does not start: install it, and log in to the cluster") from error
        except subprocess.TimeoutExpired as error:
            raise SubmitError("kubectl has no answer after two minutes: is the cluster reached?") from error
        if done.returncode:
            raise SubmitError(f"kubectl: {' '.join(done.stderr.split())}")
        return done.stdout


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and no references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _name(sweep_id: str) -> str:
    return "rf-" + short_name(sweep_id, longest=44)  # KubeRay takes 47 characters and wants a letter first


def _state(status: Mapping[str, Any]) -> State:
    deployment, job = status.get("jobDeploymentStatus", ""), status.get("jobStatus", "")
    if deployment == "Complete":
        return _FINAL.get(job, State.FAILED)
    if deployment in ("Failed", "ValidationFailed"):
        return State.FAILED
    return State.RUNNING if deployment == "Running" and job == "RUNNING" else State.WAITING


def _ray_version() -> str:
    from importlib import metadata

    return metadata.version("ray")
