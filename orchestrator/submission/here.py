"""Submits to this machine: a process of its own runs what a cluster would run, and outlives the one that sent it.

A job has three files in ``logs/`` of the jobs' folder: the sweep, what the process prints, and a record of the process.
The process holds a lock on what it prints, so that a kill is noticed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from orchestrator.submission.base import AbstractSubmitter, State, Submission, SubmitError, check_same
from orchestrator.submission.jobs import jobs_folder
from orchestrator.views.log import last_result, read_events
from trainers.record import read_json, write_atomically, write_json

_POLL_S = 0.5
_ASKED_FOR_S = 2.0
"""Whoever asks whether a process runs holds its lock for a moment: a lock that is held for longer is the process's."""
_RECORDED_WITHIN_S = 10.0
"""A process that runs and has no record after so long was started by somebody who was killed in that moment."""


class Here(AbstractSubmitter):
    """This machine. Ray is started here, or the one at ``address`` is joined.

    A handle is the path of the file that keeps what the sweep prints.
    """

    is_here: ClassVar[bool] = True
    address: str = ""
    """Address of a running Ray cluster; empty: Ray is started here."""

    def render(self, submission: Submission) -> str:
        command = shlex.join(["ratefront", *submission.arguments("sweep.yaml", address=self.address or None)])
        return f"{command}\n--- sweep.yaml\n{submission.sweep_file}"

    def find(self, submission: Submission) -> str | None:
        log = _log(submission)
        process = _running_process(log)
        if process is None:
            return None
        check_same(submission, process.fingerprint)
        return str(log)

    def submit(self, submission: Submission) -> str:
        log = _log(submission)
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep_file = log.with_suffix(".yaml")
        arguments = submission.arguments(str(sweep_file), address=self.address or None)
        with log.open("ab") as stream:
            if not _is_free(stream):
                raise SubmitError(
                    f"sweep {submission.sweep_id} was started here by somebody else just now: attach to it"
                )
            _record(log).unlink(missing_ok=True)  # of the process before
            write_atomically(sweep_file, submission.sweep_file.encode())
            stream.truncate(0)
            pid = _start(_command(arguments), {**os.environ, **submission.env}, stream)
            write_json(_record(log), asdict(_Process(pid=pid, fingerprint=submission.fingerprint)))
        return str(log)

    def status(self, handle: str) -> State:
        from orchestrator.running.result import exit_code_of

        log = Path(handle)
        if not log.is_file():
            return State.GONE
        if _is_running(log):
            return State.RUNNING
        result = last_result(read_events(self.logs(handle, follow=False), otherwise=lambda line: None))
        if result is not None and exit_code_of(result) == 0:
            return State.FINISHED
        return State.CANCELLED if _record(log).is_file() and _process(log).is_cancelled else State.FAILED

    def logs(self, handle: str, *, follow: bool) -> Iterator[str]:
        log, read = Path(handle), 0
        while True:
            is_last = not follow or not _is_running(log)
            with log.open("rb") as stream:
                stream.seek(read)
                content = stream.read()
            whole = content if is_last else content[: content.rfind(b"\n") + 1]
            read += len(whole)
            yield from whole.decode(errors="replace").splitlines()
            if is_last:
                return
            time.sleep(_POLL_S)

    def cancel(self, handle: str) -> None:
        log = Path(handle)
        process = _running_process(log)
        if process is None:  # it ended just now
            return
        write_json(_record(log), asdict(process) | {"is_cancelled": True})
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            os.kill(process.pid, signal.SIGTERM)


@dataclass(frozen=True, kw_only=True)
class _Process:
    """The process that ran a job last."""

    pid: int
    fingerprint: str
    """The submission's."""
    is_cancelled: bool = False


def _process(log: Path) -> _Process:
    """The process that prints to ``log``, or printed to it last.

    Raises:
        SubmitError: its record cannot be read.
    """
    try:
        return _Process(**read_json(_record(log)))
    except (OSError, ValueError, TypeError) as error:
        raise SubmitError(
            f"{_record(log)} is no record of a process: end what writes to {log}, and remove that"
        ) from error


def _running_process(log: Path) -> _Process | None:
    """The process that prints to ``log`` now; None where it has ended. It may have been started a moment ago.

    Raises:
        SubmitError: it has no record, or one that cannot be read.
    """
    end_s = time.monotonic() + _RECORDED_WITHIN_S
    while _is_running(log):
        if _record(log).exists() or time.monotonic() > end_s:
            return _process(log)
        time.sleep(_POLL_S / 10)
    return None


def _record(log: Path) -> Path:
    return log.with_suffix(".json")


def _log(submission: Submission) -> Path:
    return jobs_folder() / "logs" / f"{submission.sweep_id}.out"


def _command(arguments: list[str]) -> list[str]:
    # -P keeps the working directory off the path: a stray module there could hide one of ours
    return [sys.executable, "-P", "-m", "orchestrator", *arguments]


def _start(command: list[str], environment: dict[str, str], stream: BinaryIO) -> int:
    """Start a process in a session of its own, which neither Ctrl-C nor a closed terminal reaches; returns its id.

    It inherits ``stream`` and the lock on it, which ends with the last process that has it.
    """
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    printed = [(os.POSIX_SPAWN_DUP2, stream.fileno(), descriptor) for descriptor in (1, 2)]
    return os.posix_spawn(command[0], command, environment, file_actions=[nothing, *printed], setsid=True)


def _is_running(log: Path) -> bool:
    try:
        with log.open("rb") as stream:
            return not _locks(stream, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _is_free(stream: BinaryIO) -> bool:
    """Lock the file for a process that is about to start; whether none runs."""
    end_s = time.monotonic() + _ASKED_FOR_S
    while not _locks(stream, fcntl.LOCK_EX):
        if time.monotonic() > end_s:
            return False
        time.sleep(_POLL_S / 50)
    return True


def _locks(stream: BinaryIO, kind: int) -> bool:
    """Whether a lock of the kind can be had now; it is held as long as the stream is open."""
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
