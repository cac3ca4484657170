"""The submissions made from this machine: one small file for each, so that it can be asked about later."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.submission.base import SubmitError
from trainers.record import read_json, write_json

_YEAR_9999_S = 253370764800


@dataclass(frozen=True, kw_only=True)
class Job:
    """One submission, as it is remembered."""

    sweep_id: str
    target: str
    """The submitter's name in ``SUBMITTERS``."""
    settings: dict[str, Any]
    """The submitter's settings."""
    handle: str
    """The submitter's handle of this submission."""
    storage: str
    tracking_uri: str
    submitted_at_s: float = field(default_factory=time.time)
    """Seconds since 1970, UTC."""


def jobs_folder() -> Path:
    """The folder of these files: ``ratefront/jobs`` in the user's folder for state, ``XDG_STATE_HOME``."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "ratefront" / "jobs"


def remember(job: Job) -> None:
    """Remember a submission, in place of an earlier one of the same sweep to the same kind of target."""
    jobs_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    write_json(jobs_folder() / f"{job.sweep_id}.{job.target}.json", asdict(job))


def all_jobs() -> list[Job]:
    """All submissions from here, the newest last."""
    return sorted(_read(), key=lambda job: job.submitted_at_s)


def find_job(name: str | None) -> Job:
    """The newest submission of a sweep.

    Args:
        name: the sweep's id, or the beginning of it; None for any sweep.

    Raises:
        SubmitError: there is none, or the ids of several sweeps begin so.
    """
    known = all_jobs()
    matching = [job for job in known if name is None or job.sweep_id.startswith(name)]
    exact = [job for job in matching if job.sweep_id == name] or matching
    if not exact:
        there = ", ".join(dict.fromkeys(job.sweep_id for job in reversed(known)))
        raise SubmitError(
            f"no sweep {name!r} was submitted from here: there is {there}" if known else "nothing was submitted yet"
        )
    names = list(dict.fromkeys(job.sweep_id for job in exact))
    if name is not None and len(names) > 1:
        raise SubmitError(f"{name!r} may be any of {', '.join(names)}: give more of it")
    return exact[-1]


def damaged_records() -> list[Path]:
    """The files among these that are no records of submissions; they hide none of the others."""
    return sorted(path for path in jobs_folder().glob("*.json") if _job(path) is None)


def _read() -> Iterator[Job]:
    return (job for path in jobs_folder().glob("*.json") if (job := _job(path)) is not None)


def _job(path: Path) -> Job | None:
    """The record in a file; None where there is none."""
    try:
        job = Job(**read_json(path))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = (job.sweep_id, job.target, job.handle, job.storage, job.tracking_uri)
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        return None
    is_time = isinstance(job.submitted_at_s, int | float) and 0 <= job.submitted_at_s < _YEAR_9999_S
    return job if is_time and isinstance(job.settings, dict) else None
