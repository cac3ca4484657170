"""What a sweep leaves on its storage path: the truth that tracking and resuming are rebuilt from.

<storage>/<sweep id>/sweep.yaml            the resolved sweep
<storage>/<sweep id>/instance              a unique name of this run of it
<storage>/<sweep id>/study.jsonl           what an adaptive searcher was asked and told, in order
<storage>/<sweep id>/trials/<trial id>/    trial.json      what the trial is, and what it runs on
                                           progress.jsonl  one line for each report
                                           checkpoint.pt   while it runs
                                           <point id>.rfz and <point id>.sections.csv
                                           ended.json      written last, atomically: the trial is over
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.storage.outcomes import Ended, Outcome
from trainers.record import from_row, read_json, to_row, write_atomically, write_json


@dataclass(frozen=True)
class Journal:
    """The trials of one sweep on disk."""

    directory: Path

    @property
    def location(self) -> str:
        """Of the sweep, for every process that may read or write it."""
        return str(self.directory)

    @property
    def instance(self) -> str | None:
        """Tells this run of a sweep from one of the same content elsewhere; None before it began."""
        path = self.directory / "instance"
        return path.read_text().strip() if path.exists() else None

    def begin_sweep(self, text: str) -> None:
        """Write the sweep file and, once, the instance."""
        if self.instance is None:
            write_atomically(self.directory / "instance", f"{uuid.uuid4().hex}\n".encode())
        write_atomically(self.directory / "sweep.yaml", text.encode())

    def append_study(self, line: dict[str, Any]) -> None:
        """Add one line to what the searcher was asked and told."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "study.jsonl").open("a") as stream:
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def study(self) -> list[dict[str, Any]]:
        """What the searcher was asked and told. A kill may have left half a line at the end, which is cut off."""
        path = self.directory / "study.jsonl"
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            path.write_bytes(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def trial_directory(self, trial_id: str) -> Path:
        return self.directory / "trials" / trial_id

    def trial_ids(self) -> Iterator[str]:
        """Every trial that ever started, in order."""
        for path in sorted((self.directory / "trials").glob("*/trial.json")):
            yield path.parent.name

    def begin(self, trial_id: str, config: dict[str, Any], environment: dict[str, str]) -> None:
        """Say what the trial is and what it runs on."""
        directory = self.trial_directory(trial_id)
        write_json(directory / "trial.json", {"config": config, "environment": environment})
        progress = directory / "progress.jsonl"
        if progress.exists() and not progress.read_bytes().endswith(b"\n"):  # a kill left half a line
            progress.write_bytes(progress.read_bytes() + b"\n")

    def config(self, trial_id: str) -> dict[str, Any] | None:
        """None where the trial never began."""
        path = self.trial_directory(trial_id) / "trial.json"
        return dict(read_json(path)["config"]) if path.exists() else None

    def environment(self, trial_id: str) -> dict[str, str]:
        """Of a trial that began."""
        return dict(read_json(self.trial_directory(trial_id) / "trial.json")["environment"])

    def append_progress(self, trial_id: str, progress: Any) -> None:
        """Add one report, a dataclass, as a line."""
        with (self.trial_directory(trial_id) / "progress.jsonl").open("a") as stream:
            stream.write(json.dumps(asdict(progress)) + "\n")

    def progress(self, trial_id: str) -> list[dict[str, Any]]:
        """Reports by step. Steps that were run again after a kill are there once; a half-written line is left out."""
        path = self.trial_directory(trial_id) / "progress.jsonl"
        by_step: dict[int, dict[str, Any]] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            by_step[row["step"]] = row
        return [by_step[step] for step in sorted(by_step)]

    def end(self, trial_id: str, ended: Ended) -> None:
        """Write the record, which makes the trial over."""
        row = {
            "outcome": ended.outcome.value,
            "reason": ended.reason,
            "details": ended.details,
            "points": [to_row(point) for point in ended.points],
            "ended_at_s": ended.ended_at_s,
        }
        write_json(self.trial_directory(trial_id) / "ended.json", row)

    def ended(self, trial_id: str) -> Ended | None:
        """None while the trial has not ended."""
        path = self.trial_directory(trial_id) / "ended.json"
        if not path.exists():
            return None
        row = read_json(path)
        return Ended(
            outcome=Outcome(row["outcome"]),
            reason=row["reason"],
            details=row["details"],
            points=tuple(from_row(point) for point in row["points"]),
            ended_at_s=row["ended_at_s"],
        )

    def forget_failure(self, trial_id: str) -> None:
        """Before a trial is tried again."""
        if not self.is_over(trial_id):
            (self.trial_directory(trial_id) / "ended.json").unlink(missing_ok=True)

    def is_over(self, trial_id: str) -> bool:
        """Whether there is nothing left to do for a trial: it finished or was stopped."""
        ended = self.ended(trial_id)
        return ended is not None and ended.outcome is not Outcome.FAILED

    def forget_checkpoint(self, trial_id: str) -> None:
        """Of a trial that is over."""
        from trainers.train import forget_checkpoint  # loads torch

        forget_checkpoint(self.trial_directory(trial_id))

    def file(self, name: str) -> Path:
        """One of the sweep, by its name relative to it."""
        return self.directory / name

    # where not all processes see one folder, there is more to these: see MirroredJournal

    def fetch_all(self) -> None:
        """Learn what others wrote of the sweep and of its trials."""

    def fetch(self, trial_id: str, *, to_resume: bool = False) -> None:
        """Learn what others wrote of one trial; ``to_resume`` with the checkpoint."""

    def store(self, trial_id: str) -> None:
        """Let others have what a running trial left in its folder, its checkpoint too."""

    def store_frontier(self) -> None:
        """Let others have the files in ``frontier``."""

    def check_writable(self) -> None:
        """Raise ``OSError`` where this process may only read."""
        probe = self.directory / f".probe-{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()

    def close(self) -> None:
        """Leave nothing behind that only this process needed."""
