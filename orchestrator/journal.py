"""What a sweep leaves on its storage path: the truth that tracking and resuming are rebuilt from.

<storage>/<sweep id>/sweep.yaml             the resolved sweep
<storage>/<sweep id>/trials/<trial id>/     trial.json       what the trial is
                                            progress.jsonl   one line for each report
                                            checkpoint.pt    while it runs
                                            <point id>.rfz and <point id>.sections.csv
                                            ended.json       written last, atomically: the trial is over
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainers.record import OperatingPoint, from_row, read_json, to_row, write_json


class Outcome(enum.Enum):
    """How a trial ended."""

    FINISHED = "finished"
    """Every operating point is on disk and was measured."""
    FAILED = "failed"
    """It raised, diverged or died; ``reason`` says why. A resumed sweep tries it again."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The record of a trial that is over."""

    outcome: Outcome
    reason: str = ""
    details: str = ""
    """The traceback, where there was one."""
    points: tuple[OperatingPoint, ...] = ()


@dataclass(frozen=True)
class Journal:
    """The trials of one sweep on disk."""

    directory: Path

    def trial_directory(self, trial_id: str) -> Path:
        return self.directory / "trials" / trial_id

    def trial_ids(self) -> Iterator[str]:
        """Every trial that ever started, in order."""
        for path in sorted((self.directory / "trials").glob("*/trial.json")):
            yield path.parent.name

    def begin(self, trial_id: str, config: dict[str, Any]) -> None:
        """Say what the trial is; a failure of an earlier attempt is forgotten."""
        directory = self.trial_directory(trial_id)
        write_json(directory / "trial.json", config)
        (directory / "ended.json").unlink(missing_ok=True)

    def config(self, trial_id: str) -> dict[str, Any]:
        config: dict[str, Any] = read_json(self.trial_directory(trial_id) / "trial.json")
        return config

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
        row = {
            "outcome": ended.outcome.value,
            "reason": ended.reason,
            "details": ended.details,
            "points": [to_row(point) for point in ended.points],
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
        )

    def is_finished(self, trial_id: str) -> bool:
        ended = self.ended(trial_id)
        return ended is not None and ended.outcome is Outcome.FINISHED
