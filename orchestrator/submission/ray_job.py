"""Submits through the Jobs API of a running Ray cluster.

ratefront and the user's own modules travel as wheels; the driver runs on the head node, the trials anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from analysis.points.tracking_uri import without_credentials
from analysis.units import format_size
from orchestrator.errors import SweepError
from orchestrator.ray_tune.access import check_token, token_wanted
from orchestrator.submission.base import AbstractSubmitter, State, Submission, SubmitError, check_same
from orchestrator.submission.wheels import Wheel, pack

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_SWEEP_FILE = "sweep.yaml"
_LARGEST = 100_000_000
"""Bytes of a package. All nodes load it through the head's memory; Ray itself refuses some five times as much."""
_FAILURES: tuple[type[Exception], ...] = (RuntimeError, OSError)
_STATES = {
    "PENDING": State.WAITING,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.FINISHED,
    "FAILED": State.FAILED,
    "STOPPED": State.CANCELLED,
}


class RayJobs(AbstractSubmitter):
    """A Ray cluster whose dashboard answers at ``address``."""

    address: str = Field(default_factory=lambda: os.environ.get("RAY_API_SERVER_ADDRESS") or "http://127.0.0.1:8265")
    """Default: RAY_API_SERVER_ADDRESS, as it is when the sweep is submitted."""

    @field_validator("address")
    @classmethod
    def _is_shown(cls, value: str) -> str:
        shown = without_credentials(value)
        if not value.startswith(("http://", "https://")):
            raise ValueError(
                f"address is {shown!r}: wanted that of the cluster's dashboard, such as http://127.0.0.1:8265"
            )
        if shown != value:
            raise ValueError(
                f"address is {shown!r}: it holds a password, which would be seen: "
                "wanted a token, in RAY_AUTH_TOKEN_PATH"
            )
        return value

    def render(self, submission: Submission) -> str:
        request = _request(submission, number=1)
        wheels = [f"{wheel.filename} ({format_size(len(wheel.content))})" for wheel in _wheels(submission)]
        environment: dict[str, Any] = {"working_dir": [_SWEEP_FILE], "py_modules": wheels, **request["runtime_env"]}
        shown = {"address": self.address, **request, "runtime_env": environment}
        return f"{json.dumps(shown, indent=1)}\n--- {_SWEEP_FILE}\n{submission.sweep_file}"

    def find(self, submission: Submission) -> str | None:
        for attempt in _attempts(self._client(), submission.sweep_id):
            if not attempt.state.is_over:
                check_same(submission, attempt.fingerprint)
                return f"{submission.sweep_id}.{attempt.number}"
        return None

    def submit(self, submission: Submission) -> str:
        wheels = _wheels(submission)
        client = self._client()
        number = max((attempt.number for attempt in _attempts(client, submission.sweep_id)), default=0) + 1
        request = _request(submission, number=number)
        with tempfile.TemporaryDirectory() as folder:
            working = Path(folder) / "job"
            working.mkdir()
            (working / _SWEEP_FILE).write_text(submission.sweep_file, encoding="utf-8")
            modules = [Path(folder) / wheel.filename for wheel in wheels]
            for path, wheel in zip(modules, wheels, strict=True):
                path.write_bytes(wheel.content)
            packages = {"working_dir": str(working), "py_modules": list(map(str, modules))}
            with _refused():
                return client.submit_job(**{**request, "runtime_env": {**request["runtime_env"], **packages}})

    def status(self, handle: str) -> State:
        client = self._client()
        try:
            return _STATES[client.get_job_status(handle).value]
        except RuntimeError as error:
            if "404" in str(error):
                return State.GONE
            raise SubmitError(_one_line(error)) from error

    def logs(self, handle: str, *, follow: bool) -> Iterator[str]:
        client = self._client()
        if not follow:
            with _refused():
                yield from client.get_job_logs(handle).splitlines()
            return
        rest = ""
        for chunk in _tail(client, handle):
            *lines, rest = (rest + chunk).split("\n")
            yield from lines
        if rest:
            yield rest

    def cancel(self, handle: str) -> None:
        with _refused():
            self._client().stop_job(handle)

    def _client(self) -> JobSubmissionClient:
        """A client of the Jobs API.

        Raises:
            SubmitError: nothing answers, or the token is missing or wrong.
        """
        try:
            check_token()
        except SweepError as error:
            raise SubmitError(str(error)) from error
        try:
            import aiohttp  # noqa: F401  Ray's own client needs it, and has it with its extra 'default' alone
            from ray.exceptions import AuthenticationError
            from ray.job_submission import JobSubmissionClient
        except ImportError as error:
            raise SubmitError(
                f"a client of Ray's jobs needs {error.name}, which is not installed: pip install 'ratefront[cluster]'"
            ) from error

        # they would log all that they pack and upload
        for name in ("dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk", "_private.runtime_env.packaging"):
            logging.getLogger(f"ray.{name}").setLevel(logging.ERROR)
        try:
            return JobSubmissionClient(self.address)
        except ConnectionError as error:
            raise SubmitError(
                f"no Ray cluster answers at {self.address}: give the address of its dashboard, "
                "for instance through a tunnel"
            ) from error
        except AuthenticationError as error:
            raise SubmitError(token_wanted(self.address)) from error
        except (RuntimeError, OSError) as error:
            raise SubmitError(f"{self.address}: {_one_line(error)}") from error


def _request(submission: Submission, *, number: int) -> dict[str, Any]:
    """The request to the Jobs API, without the packages."""
    arguments = submission.arguments(_SWEEP_FILE)
    return {
        "submission_id": f"{submission.sweep_id}.{number}",
        # -P keeps the working directory off the path: a stray module there could hide one of ours
        "entrypoint": shlex.join(["python", "-P", "-m", "orchestrator", *arguments]),
        "metadata": {"ratefront.fingerprint": submission.fingerprint, "ratefront.storage": submission.storage},
        "runtime_env": {"env_vars": dict(submission.env)} if submission.env else {},
    }


def _wheels(submission: Submission) -> list[Wheel]:
    """The wheels that the submission carries.

    Raises:
        SubmitError: one is too large.
    """
    wheels = [submission.wheel]
    if submission.own:
        wheels.append(pack("own", "0", submission.own))
    for wheel in wheels:
        if len(wheel.content) > _LARGEST:
            largest = max(submission.own, key=lambda path: len(submission.own[path]))
            raise SubmitError(
                f"your own modules are {format_size(len(wheel.content))}: wanted at most {format_size(_LARGEST)}; "
                f"keep data out of their folders, such as {largest}"
            )
    return wheels


@dataclass(frozen=True)
class _Attempt:
    """One of the times that a sweep was submitted."""

    number: int
    state: State
    fingerprint: str


def _attempts(client: JobSubmissionClient, sweep_id: str) -> list[_Attempt]:
    """All attempts of a sweep, the newest first."""
    found = []
    with _refused():
        for job in client.list_jobs():
            name, _, number = (job.submission_id or "").rpartition(".")
            if name == sweep_id and number.isdecimal():
                fingerprint = (job.metadata or {}).get("ratefront.fingerprint", "")
                found.append(_Attempt(int(number), _STATES[job.status.value], fingerprint))
    return sorted(found, key=lambda attempt: attempt.number, reverse=True)


def _tail(client: JobSubmissionClient, handle: str) -> Iterator[str]:
    """What the job prints, in pieces, as it prints it."""
    from aiohttp import ClientError

    loop = asyncio.new_event_loop()
    chunks = aiter(client.tail_job_logs(handle))
    try:
        with _refused(ClientError), contextlib.suppress(StopAsyncIteration):
            while True:
                yield loop.run_until_complete(anext(chunks))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@contextlib.contextmanager
def _refused(*more: type[Exception]) -> Iterator[None]:
    """Turns errors of the cluster into a ``SubmitError`` of one line; ``more`` are other types that count as such."""
    try:
        yield
    except _FAILURES + more as error:
        raise SubmitError(f"the Ray cluster refused: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[-1].split()) if lines else type(error).__name__
