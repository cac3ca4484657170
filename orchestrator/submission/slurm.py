"""Submits to Slurm: one job that starts a Ray of its own over its nodes, runs the sweep there, and takes it down.

Where a site forbids that, ``array`` makes an array of independent jobs without Ray instead.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from pydantic import Field, model_validator

from orchestrator.storage.bucket import is_remote
from orchestrator.submission.base import AbstractSubmitter, State, Submission, SubmitError, check_same, short_name
from trainers.record import write_atomically

_POLL_S = 2.0
_STATES = {
    **dict.fromkeys(
        ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"), State.WAITING
    ),
    **dict.fromkeys(("SUSPENDED", "STOPPED", "RESV_DEL_HOLD"), State.WAITING),
    **dict.fromkeys(("RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING"), State.RUNNING),
    "COMPLETED": State.FINISHED,
    **dict.fromkeys(("CANCELLED", "REVOKED"), State.CANCELLED),
}
"""Slurm's states; a job in any other has failed."""


class Slurm(AbstractSubmitter):
    """A Slurm cluster: ``sbatch`` is on the PATH, and its nodes see the storage folder, this folder and this
    environment."""

    nodes: int = Field(default=1, ge=1)
    cpus_per_node: int = Field(default=4, ge=1)
    gpus_per_node: int = Field(default=0, ge=0)
    mem: str = ""
    """Memory of a node, as ``sbatch --mem`` takes it."""
    time: str = ""
    """Time limit, as ``sbatch --time`` takes it; a sweep that needs longer is queued again."""
    partition: str = ""
    account: str = ""
    qos: str = ""
    array: int = Field(default=0, ge=0)
    """Number of independent jobs without Ray, each with the cores and GPUs of a node; 0: one job with Ray."""

    @model_validator(mode="after")
    def _an_array_has_no_nodes(self) -> Slurm:
        if self.array and self.nodes != 1:
            raise ValueError(f"nodes is {self.nodes} and array is {self.array}: each job of an array has one node")
        return self

    def script(self) -> str:
        """The script that ``sbatch`` is given."""
        options = {
            "job-name": "ratefront",
            "nodes": 1 if self.array else self.nodes,
            "ntasks-per-node": 1,
            "cpus-per-task": self.cpus_per_node,
            "gpus-per-node": self.gpus_per_node or "",
            "mem": self.mem,
            "time": self.time,
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "array": f"0-{self.array - 1}" if self.array else "",
        }
        lines = [f"#SBATCH --{key}={value}" for key, value in options.items() if value != ""]
        lines += ["#SBATCH --open-mode=append", "#SBATCH --requeue"]
        if not self.array:
            lines.append("#SBATCH --signal=B:USR1@120")
        body = "slurm_array.sh" if self.array else "slurm_ray.sh"
        text = files("orchestrator.submission").joinpath(body).read_text(encoding="utf-8")
        return "\n".join(["#!/bin/sh", *lines, text])

    def render(self, submission: Submission) -> str:
        environment = "".join(f"{key}={shlex.quote(value)} " for key, value in submission.env.items())
        commands = [f"{environment}{shlex.join(self._command(submission))}"]
        if self.array:
            commands.append(shlex.join(self._afterwards(submission, "ID")))
        shown = [f"--- {path}\n{_readable(content)}" for path, content in self._files(submission).items()]
        return "\n".join([*commands, *shown])

    def find(self, submission: Submission) -> str | None:
        name = f"--name={_name(submission.sweep_id)}"
        listed = _run(["squeue", "--me", "--noheader", "--array-unique", name, "--format=%A %k"])
        found = [line.split(maxsplit=1) for line in listed.splitlines() if line.strip()]
        for _, comment in found:
            check_same(submission, comment.strip())
        numbers = dict.fromkeys(number for number, _ in found)
        return f"{_folder(submission)}/{'+'.join(numbers)}" if numbers else None

    def submit(self, submission: Submission) -> str:
        for path, content in self._files(submission).items():
            write_atomically(path, content)
        scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {**os.environ, "PATH": scripts, **submission.env}
        numbers = [_number(_run(self._command(submission), environment))]
        if self.array:
            try:
                numbers.append(_number(_run(self._afterwards(submission, numbers[0]), environment)))
            except SubmitError:  # nothing would log its results
                _run(["scancel", *numbers])
                raise
        return f"{_folder(submission)}/{'+'.join(numbers)}"

    def status(self, handle: str) -> State:
        return _joint([state for number in _numbers(handle) for state in _states(number)])

    def logs(self, handle: str, *, follow: bool) -> Iterator[str]:
        folder, read = Path(handle).parent, dict[Path, int]()
        while True:
            is_last = not follow or self.status(handle).is_over
            for number in _numbers(handle):
                for path in sorted(folder.glob(f"{number}*.out")):
                    with path.open("rb") as stream:
                        stream.seek(read.get(path, 0))
                        content = stream.read()
                    whole = content if is_last else content[: content.rfind(b"\n") + 1]
                    read[path] = read.get(path, 0) + len(whole)
                    yield from whole.decode(errors="replace").splitlines()
            if is_last:
                return
            time.sleep(_POLL_S)

    def cancel(self, handle: str) -> None:
        _run(["scancel", *_numbers(handle)])

    def _command(self, submission: Submission) -> list[str]:
        folder = _folder(submission)
        places = ["--storage", submission.storage]
        if self.array:  # MLflow is told when all parts are done
            places += ["--of", str(self.array)]
        else:
            places += ["--tracking-uri", submission.tracking_uri, "--json-lines"]
        output = "%A_%a.out" if self.array else "%j.out"
        script, sweep_file = (str(folder / name) for name in ("sweep.sbatch", "sweep.yaml"))
        return [*_sbatch(submission), f"--output={folder / output}", script, sweep_file, *places]

    def _afterwards(self, submission: Submission, number: str) -> list[str]:
        """The ``sbatch`` command of the job that logs and draws the results of the array ``number``."""
        places = ["--storage", submission.storage, "--tracking-uri", submission.tracking_uri]
        command = shlex.join(["ratefront", "sync", submission.sweep_id, *places])
        keys = ("partition", "account", "qos", "time", "mem")
        limits = [f"--{key}={value}" for key in keys if (value := getattr(self, key))]
        output = f"--output={_folder(submission) / '%j.out'}"
        return [*_sbatch(submission), *limits, output, f"--dependency=afterany:{number}", f"--wrap={command}"]

    def _files(self, submission: Submission) -> Mapping[Path, bytes]:
        if self.array and not submission.is_fixed:
            raise SubmitError(
                "jobs of an array know nothing of each other: wanted a search that is fixed in advance, such as "
                "--set search=grid, no scheduler and no budget"
            )
        folder = _folder(submission)
        own = {folder / "own" / path: content for path, content in submission.own.items()}
        files = {"sweep.sbatch": self.script(), "sweep.yaml": submission.sweep_file}
        return {**{folder / name: text.encode() for name, text in files.items()}, **own}


def _folder(submission: Submission) -> Path:
    """The folder of what is submitted, and of what its jobs print.

    Raises:
        SubmitError: the storage is no folder.
    """
    if is_remote(submission.storage):
        raise SubmitError(f"--storage is {submission.storage}: wanted a folder that all of Slurm's nodes share")
    return Path(submission.storage) / "submitted" / submission.sweep_id


def _name(sweep_id: str) -> str:
    return f"ratefront-{short_name(sweep_id, longest=60)}"


def _sbatch(submission: Submission) -> list[str]:
    """What the ``sbatch`` commands of a submission begin with.

    The jobs run beside copies of the user's own modules, which stay as they are now, however long the jobs wait.
    """
    name, own = f"--job-name={_name(submission.sweep_id)}", f"--chdir={_folder(submission) / 'own'}"
    return ["sbatch", "--parsable", name, f"--comment={submission.fingerprint}", *([own] if submission.own else [])]


def _number(said: str) -> str:
    return said.strip().partition(";")[0]  # "42;cluster" where there are several


def _numbers(handle: str) -> list[str]:
    return Path(handle).name.split("+")


def _joint(states: Sequence[State]) -> State:
    """The state of a submission of several jobs."""
    order = (State.RUNNING, State.WAITING, State.FAILED, State.CANCELLED, State.FINISHED)
    return next((state for state in order if state in states), State.GONE)


def _states(number: str) -> list[State]:
    """The states of a job, or of the jobs of an array; none where Slurm no longer knows it."""
    queued = _ask(["squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={number}"])
    if queued.returncode and "Invalid job id" not in queued.stderr:
        raise SubmitError(f"squeue: {' '.join(queued.stderr.split())}")
    said = queued.stdout
    if not said.strip():  # a job that ended leaves the queue after some minutes; a cluster need not keep accounts
        said = _ask(
            ["sacct", "--noheader", "--parsable2", "--allocations", "--format=State", f"--jobs={number}"]
        ).stdout
    return [_STATES.get(line.split()[0], State.FAILED) for line in said.splitlines() if line.strip()]


def _readable(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"({len(content)} bytes)"


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run ``command``; returns what it prints.

    Raises:
        SubmitError: it failed, or is not installed.
    """
    done = _ask(command, environment)
    if done.returncode:
        raise SubmitError(f"{command[0]}: {' '.join(done.stderr.split())}")
    return done.stdout


def _ask(command: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    except OSError as error:
        raise SubmitError(f"{command[0]} does not start: ask from a machine of the Slurm cluster") from error
