"""The manifests that Kubernetes is given; a script plays ``kubectl``."""

from __future__ import annotations

import base64
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.submission.base import State, SubmitError
from orchestrator.submission.kuberay import KubeRay
from orchestrator.sweep.file import load_sweep
from orchestrator.sweep.recipes import find_recipe
from tests.infra.kinds import check, pod_templates
from tests.orchestrator.submission.samples import changed

SHIPPED = Path(__file__).parents[3] / "infra" / "kuberay" / "rayjob.yaml"
SUBMISSION = changed(storage="/sweeps")
NAME, HANDLE = "rf-my-sweep-v2-0a1b2c3d", "here/rf-my-sweep-v2-0a1b2c3d"
OWN = {"mine/__init__.py": b"", "mine/net.py": "größer".encode()}


def ray_job(kuberay: KubeRay) -> dict[str, Any]:
    return kuberay.manifests(SUBMISSION)[1]


def containers(job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [container for group in groups for container in group["template"]["spec"]["containers"]]


def test_the_manifest_that_ships_is_the_one_that_is_submitted() -> None:
    sweep = load_sweep(find_recipe("digits"))
    submission = changed(sweep_id=sweep.sweep_id, sweep_file=sweep.to_yaml(), storage="/sweeps")
    assert SHIPPED.read_text() == KubeRay().render(submission)


def test_what_is_printed_is_what_is_applied() -> None:
    assert list(yaml.safe_load_all(KubeRay().render(SUBMISSION))) == KubeRay().manifests(SUBMISSION)


def test_own_modules_are_mounted_where_every_pod_imports_them() -> None:
    config_map, job = KubeRay().manifests(changed(storage="/sweeps", own=OWN))
    assert base64.b64decode(config_map["binaryData"]["own-1"]) == OWN["mine/net.py"]
    for group in (job["spec"]["rayClusterSpec"]["headGroupSpec"], *job["spec"]["rayClusterSpec"]["workerGroupSpecs"]):
        (volume,) = (one for one in group["template"]["spec"]["volumes"] if one["name"] == "submission")
        assert {"key": "own-1", "path": "own/mine/net.py"} in volume["configMap"]["items"]
    for container in containers(job):
        assert {"name": "PYTHONPATH", "value": "/etc/ratefront/submission/own"} in container["env"]


def test_workers_with_gpus_ask_for_them_and_bear_their_taint() -> None:
    (group,) = ray_job(KubeRay(gpus=2, workers=3))["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    pod = group["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert "nvidia.com/gpu" in {toleration["key"] for toleration in pod["tolerations"]}
    assert (group["minReplicas"], group["maxReplicas"]) == (0, 3)


def test_a_queue_lets_all_pods_in_together() -> None:
    job = ray_job(KubeRay(queue="ratefront-queue", workers=3))
    cluster = job["spec"]["rayClusterSpec"]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "ratefront-queue"
    assert "enableInTreeAutoscaling" not in cluster  # Kueue admits no cluster that grows
    assert {cluster["workerGroupSpecs"][0][key] for key in ("replicas", "minReplicas", "maxReplicas")} == {3}


def test_results_are_left_on_the_volume_that_pods_share() -> None:
    with pytest.raises(SubmitError, match="wanted /sweeps, where all pods have their volume"):
        KubeRay().render(changed(storage="/sweeps2"))


def test_with_a_bucket_pods_have_its_keys_and_no_volume() -> None:
    manifests = KubeRay().manifests(changed(storage="s3://bucket/sweeps"))
    check(manifests[1])
    for _, template in pod_templates(manifests[1]):
        assert "sweeps" not in [volume["name"] for volume in template["spec"]["volumes"]]
        container = template["spec"]["containers"][0]
        assert "sweeps" not in [mount["name"] for mount in container["volumeMounts"]]
        if container["name"] != "ray-job-submitter":  # it only hands on the command
            keys = [one["name"] for one in container["env"] if "ratefront-storage" in str(one)]
            assert keys == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert "--storage s3://bucket/sweeps" in manifests[1]["spec"]["entrypoint"]


def test_nothing_secret_is_in_a_manifest() -> None:
    for container in containers(ray_job(KubeRay())):
        for variable in container["env"]:
            if "TOKEN" in variable["name"] or "PASSWORD" in variable["name"]:
                assert "value" not in variable


def test_what_no_config_map_holds_is_refused() -> None:
    with pytest.raises(SubmitError, match=r"your own modules are 1.00 MB: wanted at most 900 kB; build them into an"):
        KubeRay().submit(changed(own={"large.py": b"0" * 1_000_000}))


class Played:
    """A ``kubectl`` with prepared answers, which keeps what it was asked and given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program, where = folder / "kubectl", shlex.quote(str(folder))
        program.write_text(
            f'#!/bin/sh\nprintf "%s " "$@" >>{where}/asked; echo >>{where}/asked\n'
            f'case "$*" in *create*) cat >{where}/given;; *get*) cat {where}/status 2>/dev/null;;\n'
            "*current-context*) echo here;;\n"
            f"*logs*) cat {where}/log;; esac\n"
            f"[ ! -e {where}/error ] || {{ cat {where}/error >&2; exit 1; }}\n"
        )
        program.chmod(0o755)

    def write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)

    def read(self, name: str) -> str:
        return (self._folder / name).read_text()


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return Played(tmp_path)


def test_a_submission_takes_the_place_of_an_earlier_one_that_is_over(played: Played) -> None:
    kuberay = KubeRay(context="prod", namespace="team")
    assert kuberay.submit(SUBMISSION) == f"prod/{NAME}"
    assert played.read("given") == kuberay.render(SUBMISSION)
    assert played.read("asked").splitlines() == [
        f"--context=prod --namespace=team delete rayjobs.ray.io/{NAME} configmaps/{NAME} --ignore-not-found ",
        "--context=prod --namespace=team create --filename=- ",
    ]


def test_the_context_is_that_of_the_submission_whatever_is_current_later(played: Played) -> None:
    assert KubeRay().submit(SUBMISSION) == HANDLE
    KubeRay().cancel("arn:aws:eks:there/" + NAME)
    assert played.read("asked").splitlines()[-1].startswith("--context=arn:aws:eks:there --namespace=ratefront delete")


def test_a_name_begins_with_a_letter() -> None:
    digits = changed(sweep_id="01_mnist-0a1b2c3d", storage="/sweeps")
    assert KubeRay().manifests(digits)[1]["metadata"]["name"] == "rf-01-mnist-0a1b2c3d"


def test_what_runs_there_with_another_budget_is_not_taken_for_it(played: Played) -> None:
    running = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}
    played.write("status", json.dumps({"metadata": {"labels": {"ratefront/fingerprint": "other"}}, "status": running}))
    with pytest.raises(SubmitError, match="is there already, with another storage, tracking, budget or resources"):
        KubeRay().find(SUBMISSION)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, State.WAITING),
        ({"jobDeploymentStatus": "Initializing"}, State.WAITING),
        ({"jobDeploymentStatus": "Suspended"}, State.WAITING),
        ({"jobDeploymentStatus": "Running", "jobStatus": "PENDING"}, State.WAITING),
        ({"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, State.RUNNING),
        ({"jobDeploymentStatus": "Retrying", "jobStatus": "FAILED"}, State.WAITING),
        ({"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}, State.FINISHED),
        ({"jobDeploymentStatus": "Complete", "jobStatus": "FAILED"}, State.FAILED),
        ({"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, State.CANCELLED),
        ({"jobDeploymentStatus": "Failed", "jobStatus": "RUNNING", "reason": "DeadlineExceeded"}, State.FAILED),
    ],
)
def test_states_are_those_of_the_ray_job(played: Played, status: dict[str, str], state: State) -> None:
    labels = {"ratefront/fingerprint": SUBMISSION.fingerprint}
    played.write("status", json.dumps({"metadata": {"labels": labels}, "status": status}))
    assert KubeRay().status(HANDLE) is state
    assert KubeRay().find(SUBMISSION) == (None if state.is_over else HANDLE)


def test_a_ray_job_that_is_not_there_is_gone(played: Played) -> None:
    assert KubeRay().status(HANDLE) is State.GONE
    assert KubeRay().find(SUBMISSION) is None


def test_logs_wait_for_the_job_to_run(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    played.write("status", json.dumps({"status": {"jobDeploymentStatus": "Initializing"}}))
    played.write("log", "one\ntwo\n")
    over = json.dumps({"status": {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}})
    monkeypatch.setattr("time.sleep", lambda seconds: played.write("status", over))
    assert list(KubeRay().logs(HANDLE, follow=True)) == ["one", "two"]
    assert f"logs job/{NAME} --tail=-1 --follow" in played.read("asked")


def test_what_was_said_while_it_ran_is_not_said_again(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    played.write("status", json.dumps({"status": {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}}))
    played.write("log", "one\ntwo\n")
    over = json.dumps({"status": {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}})
    monkeypatch.setattr("time.sleep", lambda seconds: played.write("status", over))
    assert list(KubeRay().logs(HANDLE, follow=True)) == ["one", "two"]


def test_what_kubectl_refuses_is_one_line(played: Played) -> None:
    played.write("error", 'error: the server doesn\'t have a resource type "rayjobs"\n')
    with pytest.raises(SubmitError, match=r"^kubectl: error: the server doesn't have a resource type .rayjobs.$"):
        KubeRay().status(HANDLE)


def test_without_kubectl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SubmitError, match="kubectl does not start: install it"):
        KubeRay().status(HANDLE)
