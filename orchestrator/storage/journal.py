"""What a sweep leaves on its storage path: the truth that tracking and resuming are rebuilt from.

<storage>/<sweep id>/sweep.yaml            the resolved sweep
<storage>/<sweep id>/instance              a unique name of this run of it
<storage>/<sweep id>/study.jsonl           what an adaptive searcher was asked and told, in order
<storage>/<sweep id>/frontier/             figures and table of the frontier
<storage>/<sweep id>/originals/            the images that its trials are fitted to (storage/pictures.py)
<storage>/<sweep id>/trials/<trial id>/    trial.json      what the trial is, and what it runs on
                                           progress.jsonl  one line for each report
                                           checkpoint.pt, checkpoint-2.pt  while it runs
                                           <point id>.rfz and <point id>.sections.csv, of an image <point id>.png
                                           points.json     the points that were stored before the training was over
                                           ended.json      the record: written last, atomically, it ends the trial
                                           damage.txt      a line for each file that was set aside as *.damaged

One process at a time writes what belongs to a trial: the worker that runs it, and before and after that the process
that holds the sweep. Only the holder writes what belongs to the sweep as a whole; parts that share a sweep all write
its file, with the same content.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from orchestrator.errors import SweepError
from orchestrator.storage.bucket import join
from orchestrator.storage.damage import DamagedError, intact_lines
from orchestrator.storage.folder import AbstractFolder, NotSharedError
from orchestrator.storage.lease import Lease
from trainers.full_disk import why_full
from trainers.lookup import one_line
from trainers.record import OperatingPoint, from_row, to_row

_SWEEP, _INSTANCE, _STUDY, _FRONTIER = "sweep.yaml", "instance", "study.jsonl", "frontier"
TRIAL, PROGRESS, RECORD = "trial.json", "progress.jsonl", "ended.json"
_POINTS, _DAMAGE = "points.json", "damage.txt"
_CHECKPOINTS = ("checkpoint.pt", "checkpoint-2.pt")  # trainers.train writes and reads them


class Outcome(enum.Enum):
    """How a trial ended."""

    FINISHED = "finished"
    """Every operating point is on disk and was measured."""
    FAILED = "failed"
    """It raised, diverged or died; ``reason`` says why. A resumed sweep tries it again."""
    STOPPED = "stopped"
    """The scheduler saw no promise in it; ``reason`` says why. It has the points that it stored before, and is not
    tried again."""


OUT_OF_MEMORY = "out of memory: "
"""The reason of a trial that found too little memory begins so."""
DIVERGED = "diverged: "
"""The reason of a trial whose training left the finite numbers begins so."""
FULL = "disk full: "
"""The reason of a trial that found no space for its files begins so."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The record of a trial that has ended."""

    outcome: Outcome
    reason: str = ""
    details: str = ""
    """The traceback, where there was one."""
    points: tuple[OperatingPoint, ...] = ()
    ended_at_s: float = field(default_factory=time.time)
    """Seconds since 1970, UTC."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do for the trial: it finished or was stopped."""
        return self.outcome is not Outcome.FAILED


@final
class Journal:
    """Reads and writes the files in a sweep's folder; says what they mean, and in which order they are written."""

    def __init__(self, folder: AbstractFolder) -> None:
        self._folder = folder

    @property
    def location(self) -> str:
        """The path or address of the sweep's folder, for every process that may read or write it."""
        return self._folder.location

    # the sweep

    @contextlib.contextmanager
    def hold(self) -> Iterator[Lease]:
        """Hold the sweep, and know all that others wrote of it.

        Raises:
            SweepError: another process holds it, or the object store does not answer as it should.
        """
        with self._folder.hold() as lease:
            try:
                self.fetch_all()
            except OSError as error:
                raise SweepError(f"cannot use {self.location}: {error}") from error
            yield lease

    @property
    def instance(self) -> str | None:
        """A unique name that tells this run of a sweep from one of the same content elsewhere; None before it began.

        Raises:
            DamagedError: the file cannot be read.
        """
        path = self.file(_INSTANCE)
        if not path.exists():
            return None
        instance = path.read_text(errors="replace").strip()
        if not re.fullmatch("[0-9a-f]{32}", instance):
            raise DamagedError(
                f"{join(self.location, _INSTANCE)} is damaged: wanted the 32 characters that the tag "
                "ratefront.instance of the sweep's run in MLflow has; write them there, or --new starts another sweep"
            )
        return instance

    def begin_sweep(self, text: str) -> None:
        """Write the sweep file and, once, the instance."""
        self._folder.write(_SWEEP, text.encode())  # first: an instance says that the sweep has begun
        if self.instance is None:
            self._folder.write(_INSTANCE, f"{uuid.uuid4().hex}\n".encode())

    def append_study(self, line: dict[str, Any]) -> None:
        """Add one line to what the searcher was asked and told."""
        self._folder.append(_STUDY, f"{json.dumps(line)}\n".encode(), durable=True)

    def study(self) -> list[dict[str, Any]]:
        """What the searcher was asked and told. A kill may have left half a line at the end, which is cut off.

        Raises:
            DamagedError: another line cannot be read.
        """
        content = self._folder.read(_STUDY) or b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            self._folder.write(_STUDY, whole)
        rows: list[dict[str, Any]] = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                rows.append(dict(json.loads(line)))
            except (ValueError, TypeError) as error:
                where = f"{join(self.location, _STUDY)}, line {number},"
                raise DamagedError(f"{where} is damaged ({error}): --new starts another sweep") from error
        return rows

    # a trial, from its beginning to its end

    def trial_ids(self) -> list[str]:
        """The ids of all trials that ever started, in order."""
        return sorted(name.split("/")[1] for name in self._folder.names(f"trials/*/{TRIAL}"))

    def traces(self) -> list[str]:
        """The ids of all trials that left a file, damaged or not, in order."""
        names = [name for kind in (TRIAL, PROGRESS, RECORD) for name in self._folder.names(f"trials/*/{kind}")]
        return sorted({name.split("/")[1] for name in names})

    def begin(self, trial_id: str, config: dict[str, Any], environment: dict[str, str]) -> None:
        """Write what the trial is and what it runs on."""
        self._write_json(f"trials/{trial_id}/{TRIAL}", {"config": config, "environment": environment})
        progress = self._folder.read(f"trials/{trial_id}/{PROGRESS}")
        if progress is not None and not progress.endswith(b"\n"):  # a kill left half a line
            self._append_progress(trial_id, b"\n")

    def config(self, trial_id: str) -> dict[str, Any] | None:
        """The trial's configuration; None where it never began.

        Raises:
            DamagedError: the file that says it cannot be read.
        """
        content = self._folder.read(f"trials/{trial_id}/{TRIAL}")
        if content is None:
            return None
        with self._reading(trial_id, TRIAL):
            return dict(json.loads(content)["config"])

    def environment(self, trial_id: str) -> dict[str, str]:
        """What a trial that began runs on.

        Raises:
            FileNotFoundError: it never began.
            DamagedError: the file that says it cannot be read.
        """
        name = f"trials/{trial_id}/{TRIAL}"
        content = self._folder.read(name)
        if content is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), join(self.location, name))
        with self._reading(trial_id, TRIAL):
            return dict(json.loads(content)["environment"])

    def append_progress(self, trial_id: str, report: Mapping[str, Any]) -> None:
        """Add one report as a line."""
        self._append_progress(trial_id, f"{json.dumps(report)}\n".encode())

    def progress(self, trial_id: str) -> list[dict[str, Any]]:
        """The reports in the order of their steps.

        A step that was run again after a kill is there once, with its last report; a line that cannot be read, as
        after a kill, is left out.
        """
        content = self._folder.read(f"trials/{trial_id}/{PROGRESS}") or b""
        by_step = {row["step"]: row for row in intact_lines(content)[0].values()}
        return [by_step[step] for step in sorted(by_step)]

    def mend_progress(self, trial_id: str) -> None:
        """Leave out the reports that cannot be read, and keep the file with them set aside."""
        name = f"trials/{trial_id}/{PROGRESS}"
        intact, num_damaged = intact_lines(self._folder.read(name) or b"")
        if num_damaged:
            self.set_aside(trial_id, PROGRESS)
            self._folder.write(name, b"".join(line + b"\n" for line in intact))
            shown = join(self.location, name)
            self.note_damage(trial_id, f"{shown} is damaged: {num_damaged} of its lines are left out of all curves")

    def keep_points(self, trial_id: str, points: Sequence[OperatingPoint]) -> None:
        """Keep what a training that goes on has stored so far: others see the files, and then that they are points."""
        self._folder.share(f"trials/{trial_id}", without=(RECORD, *_CHECKPOINTS))
        self._write_json(f"trials/{trial_id}/{_POINTS}", [to_row(point) for point in points])

    def points(self, trial_id: str) -> tuple[OperatingPoint, ...]:
        """What ``keep_points`` kept. Raises ``DamagedError`` where the file cannot be read."""
        content = self._folder.read(f"trials/{trial_id}/{_POINTS}")
        if content is None:
            return ()
        with self._reading(trial_id, _POINTS):
            return tuple(from_row(row) for row in json.loads(content))

    def finish(self, trial_id: str, points: Sequence[OperatingPoint]) -> Ended:
        """Record that the trial is over: every point is on disk and was measured."""
        return self.record(trial_id, Ended(outcome=Outcome.FINISHED, points=tuple(points)))

    def fail(self, trial_id: str, reason: str, details: str = "") -> Ended:
        """Record that the trial raised, diverged or died, and why; a resumed sweep tries it again."""
        points = self.points(trial_id)
        return self.record(trial_id, Ended(outcome=Outcome.FAILED, reason=reason, details=details, points=points))

    def stop(self, trial_id: str, reason: str) -> Ended:
        """Record that the scheduler stopped the trial: it is over, with the points that it had stored."""
        return self.record(trial_id, Ended(outcome=Outcome.STOPPED, reason=reason, points=self.points(trial_id)))

    def record(self, trial_id: str, ended: Ended) -> Ended:
        """Write ``ended`` as the trial's record; others see everything else that the trial left before they see it."""
        row = {
            "outcome": ended.outcome.value,
            "reason": ended.reason,
            "details": ended.details,
            "points": [to_row(point) for point in ended.points],
            "ended_at_s": ended.ended_at_s,
        }
        self._folder.share(f"trials/{trial_id}", without=(RECORD, *_CHECKPOINTS))
        self._write_json(f"trials/{trial_id}/{RECORD}", row)
        return ended

    def ended(self, trial_id: str) -> Ended | None:
        """The trial's record; None while it has not ended.

        Raises:
            DamagedError: the record cannot be read.
        """
        content = self._folder.read(f"trials/{trial_id}/{RECORD}")
        if content is None:
            return None
        with self._reading(trial_id, RECORD):
            row = json.loads(content)
            return Ended(
                outcome=Outcome(row["outcome"]),
                reason=row["reason"],
                details=row["details"],
                points=tuple(from_row(point) for point in row["points"]),
                ended_at_s=row["ended_at_s"],
            )

    def is_over(self, trial_id: str) -> bool:
        """Whether there is nothing left to do for a trial: it finished or was stopped."""
        ended = self.ended(trial_id)
        return ended is not None and ended.is_over

    def forget_failure(self, trial_id: str) -> None:
        """Remove the record of a trial that failed, before it is tried again."""
        ended = self.ended(trial_id)
        if ended is not None and not ended.is_over:
            self._folder.delete(f"trials/{trial_id}/{RECORD}")

    def forget_checkpoint(self, trial_id: str) -> None:
        """Remove what only a resumed training needs, of a trial that is over, or that is to begin anew."""
        points = f"trials/{trial_id}/{_POINTS}"
        for name in (f"trials/{trial_id}/{name}" for name in _CHECKPOINTS):
            self._folder.delete(name)
        if self._folder.read(points) is not None:  # a request to a bucket costs more than a look
            self._folder.delete(points)

    # what was found damaged

    def note_damage(self, trial_id: str, line: str) -> None:
        """Keep a line that says which file of the trial was damaged, and what came of it; on a full disk it is lost."""
        try:
            self._folder.append(f"trials/{trial_id}/{_DAMAGE}", f"{line}\n".encode())
        except NotSharedError:
            pass  # it comes with the record
        except OSError as error:
            if not why_full(error):
                raise

    def set_aside(self, trial_id: str, *kinds: str) -> None:
        """Give files of a trial, such as ``ended.json``, the name ``*.damaged``, so that nobody reads them."""
        for name in (f"trials/{trial_id}/{kind}" for kind in kinds):
            content = self._folder.read(name)
            if content is not None:
                self._folder.write(f"{name}.damaged", content)
                self._folder.delete(name)

    def damage(self, trial_id: str = "*") -> list[str]:
        """What was ever found damaged in the sweep or in one of its trials, in a line for each file."""
        found = (self._folder.read(name) for name in self._folder.names(f"trials/{trial_id}/{_DAMAGE}"))
        return [line for content in found if content for line in content.decode(errors="replace").splitlines()]

    # files, which trainings and figures write themselves, and what other processes wrote

    def file(self, name: str) -> Path:
        """Where a file of the sweep is on this machine, by its name in the sweep's folder."""
        return self._folder.path(name)

    def keep(self, name: str, content: bytes) -> None:
        """Write a file of the sweep that is the same whoever writes it."""
        self._folder.write(name, content)

    def name_of(self, path: str | Path) -> str:
        """The name of a file in the sweep's folder: it stays right when the folder moves."""
        return Path(path).relative_to(self._folder.path()).as_posix()

    def trial_directory(self, trial_id: str) -> Path:
        """Where a training writes its checkpoint and its points; ``store`` and ``record`` let others see them."""
        return self._folder.path() / "trials" / trial_id

    def store(self, trial_id: str) -> None:
        """Let others see what a running trial left in its directory, its checkpoints too."""
        with contextlib.suppress(OSError):  # the next time brings all of it
            self._folder.share(f"trials/{trial_id}", without=(RECORD,))

    def frontier_directory(self) -> Path:
        """Where figures and table of the frontier are written; ``store_frontier`` lets others see them."""
        return self._folder.path() / _FRONTIER

    def store_frontier(self) -> None:
        """Let others see the files of the frontier."""
        self._folder.share(_FRONTIER)

    def fetch_all(self) -> None:
        """Learn what others wrote of the sweep and of its trials."""
        records = (f"trials/*/{kind}" for kind in (TRIAL, PROGRESS, _POINTS, RECORD, _DAMAGE))
        self._folder.refresh("", _INSTANCE, _SWEEP, _STUDY, *records)

    def fetch(self, trial_id: str, *, to_resume: bool = False) -> None:
        """Learn what others wrote of one trial; with ``to_resume`` its checkpoints, too."""
        checkpoints = _CHECKPOINTS if to_resume else ()
        self._folder.refresh(f"trials/{trial_id}", TRIAL, PROGRESS, _POINTS, RECORD, _DAMAGE, *checkpoints)

    def check_writable(self) -> None:
        """Raise ``OSError`` where this process may only read."""
        probe = f".probe-{uuid.uuid4().hex}"
        self._folder.write(probe, b"x")
        self._folder.delete(probe)

    def close(self) -> None:
        """Remove what only this process needed."""
        self._folder.close()

    @contextlib.contextmanager
    def _reading(self, trial_id: str, name: str) -> Iterator[None]:
        """Name the file and the trial where the block finds something else than was written."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            shown = join(self.location, f"trials/{trial_id}/{name}")
            raise DamagedError(
                f"{shown} is damaged ({type(error).__name__}: {one_line(error)}): 'ratefront sweep' with --resume sets "
                f"it aside and trains trial {trial_id} again"
            ) from error

    def _append_progress(self, trial_id: str, line: bytes) -> None:
        with contextlib.suppress(NotSharedError):  # a curve is not worth a training
            self._folder.append(f"trials/{trial_id}/{PROGRESS}", line)

    def _write_json(self, name: str, value: Any) -> None:
        """``value`` as readable JSON; NaN is refused because JSON has none."""
        self._folder.write(name, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())
