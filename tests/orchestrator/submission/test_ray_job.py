"""Requests to Ray's Jobs API, and what its answers mean; an object plays the cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus

from orchestrator.submission.base import State, SubmitError
from orchestrator.submission.ray_job import RayJobs
from tests.orchestrator.submission.samples import SUBMISSION, changed

GOLDEN = Path(__file__).parents[2] / "golden" / "ray_job.txt"
ID = SUBMISSION.sweep_id


class Cluster:
    """A cluster that keeps jobs by submission id; a job that is submitted waits."""

    def __init__(self, **jobs: str) -> None:
        self.jobs = {key: JobStatus(status) for key, status in jobs.items()}
        self.fingerprint = SUBMISSION.fingerprint
        self.request: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}

    def list_jobs(self) -> list[Any]:
        foreign = SimpleNamespace(submission_id=None, status=JobStatus.RUNNING, metadata=None)  # it was never submitted
        own = {"ratefront.fingerprint": self.fingerprint}
        listed = (SimpleNamespace(submission_id=key, status=one, metadata=own) for key, one in self.jobs.items())
        return [foreign, *listed]

    def submit_job(self, **request: Any) -> str:
        self.request = request
        environment = request["runtime_env"]
        paths = [*Path(environment["working_dir"]).iterdir(), *map(Path, environment["py_modules"])]
        self.files = {path.name: path.read_bytes() for path in paths}
        self.jobs[request["submission_id"]] = JobStatus.PENDING
        return str(request["submission_id"])

    def get_job_status(self, handle: str) -> JobStatus:
        if handle not in self.jobs:
            raise RuntimeError(f"Request failed with status code 404: Job {handle} does not exist.")
        return self.jobs[handle]

    def get_job_logs(self, handle: str) -> str:
        return "one\ntwo\n"

    async def tail_job_logs(self, handle: str) -> AsyncIterator[str]:
        for chunk in ("on", "e\ntwo\nth", "ree"):
            yield chunk

    def stop_job(self, handle: str) -> bool:
        raise RuntimeError("Request failed with status code 500: Traceback\n  it is\nthe last line")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    played = Cluster()
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ray.job_submission.JobSubmissionClient", lambda address: played)
    return played


def test_a_dry_run_shows_the_request_whole_and_asks_nobody(cluster: Cluster) -> None:
    submission = changed(env={"RATEFRONT_DATA": "/shared/data"}, own={"mine.py": b"1"})
    assert RayJobs().render(submission) == GOLDEN.read_text()


def test_a_submission_carries_the_sweep_and_two_wheels(cluster: Cluster) -> None:
    assert RayJobs().submit(changed(own={"mine.py": b"1"}, env={"A": "1"})) == f"{ID}.1"
    assert cluster.files["sweep.yaml"].decode() == SUBMISSION.sweep_file
    assert cluster.files[SUBMISSION.wheel.filename] == b"ours"
    assert sorted(name.partition("-")[0] for name in cluster.files) == ["own", "ratefront", "sweep.yaml"]
    assert cluster.request["runtime_env"]["env_vars"] == {"A": "1"}
    shown = json.loads(RayJobs().render(changed(own={"mine.py": b"1"}, env={"A": "1"})).partition("\n---")[0])
    for key in ("submission_id", "entrypoint", "metadata"):
        assert cluster.request[key] == shown[key]


def test_what_waits_or_runs_is_found_and_what_is_over_is_tried_again(cluster: Cluster) -> None:
    assert RayJobs().find(SUBMISSION) is None
    cluster.jobs = {f"{ID}.1": JobStatus.FAILED, f"{ID}.2": JobStatus.RUNNING, f"{ID}0.9": JobStatus.RUNNING}
    assert RayJobs().find(SUBMISSION) == f"{ID}.2"
    with pytest.raises(SubmitError, match="is there already, with another storage, tracking, budget or resources"):
        RayJobs().find(changed(storage="/elsewhere"))
    cluster.jobs[f"{ID}.2"] = JobStatus.STOPPED
    assert RayJobs().find(SUBMISSION) is None
    assert RayJobs().submit(SUBMISSION) == f"{ID}.3"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PENDING", State.WAITING),
        ("RUNNING", State.RUNNING),
        ("SUCCEEDED", State.FINISHED),
        ("FAILED", State.FAILED),
        ("STOPPED", State.CANCELLED),
    ],
)
def test_states_are_those_of_the_job(cluster: Cluster, status: str, state: State) -> None:
    cluster.jobs = {f"{ID}.1": JobStatus(status)}
    assert RayJobs().status(f"{ID}.1") is state
    assert RayJobs().status(f"{ID}.7") is State.GONE


def test_logs_are_whole_lines_however_they_come(cluster: Cluster) -> None:
    assert list(RayJobs().logs(f"{ID}.1", follow=True)) == ["one", "two", "three"]
    assert list(RayJobs().logs(f"{ID}.1", follow=False)) == ["one", "two"]


def test_what_the_cluster_refuses_is_one_line(cluster: Cluster) -> None:
    with pytest.raises(SubmitError, match=r"^the Ray cluster refused: the last line$"):
        RayJobs().cancel(f"{ID}.1")


def test_modules_too_large_to_travel_are_named(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.submission.ray_job._LARGEST", 1000)
    own = {"mine.py": b"1", "mine/data.bin": bytes(range(256)) * 10}
    with pytest.raises(SubmitError, match=r"wanted at most 1.00 kB; keep data out .*, such as mine/data.bin"):
        RayJobs().submit(changed(own=own))


@pytest.mark.parametrize(
    ("environment", "error", "message"),
    [
        ({}, ConnectionError("no"), "no Ray cluster answers at http://there:1: give the address of its dashboard"),
        ({}, AuthenticationError("no"), "wants a token and none was given: set RAY_AUTH_MODE=token, and RAY_AUTH_"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "t"}, AuthenticationError("no"), "it does not take this one"),
        ({"RAY_AUTH_TOKEN": "t"}, None, "RAY_AUTH_MODE is not 'token': set it"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/nowhere"}, None, "'/nowhere', which cannot be read"),
    ],
)
def test_a_cluster_that_is_not_reached_says_why(
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    error: Exception | None,
    message: str,
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)

    def refuse(address: str) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr("ray.job_submission.JobSubmissionClient", refuse)
    with pytest.raises(SubmitError) as caught:
        RayJobs(address="http://there:1").status("x")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["aiohttp", "ray.job_submission"])
def test_a_client_without_the_clusters_packages_names_the_extra(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SubmitError, match=r"is not installed: pip install 'ratefront\[cluster\]'$"):
        RayJobs().find(SUBMISSION)


def test_the_address_of_the_environment_is_kept(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    assert RayJobs().address == "http://127.0.0.1:8265"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://there:8265")
    assert RayJobs().model_dump() == {"address": "http://there:8265"}
