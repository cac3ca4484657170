"""Submissions made from this machine are found again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from orchestrator.submission.base import SubmitError
from orchestrator.submission.jobs import Job, all_jobs, damaged_records, find_job, jobs_folder, remember
from orchestrator.submission.prepare import submitter_of
from orchestrator.submission.slurm import Slurm


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def job(sweep_id: str, target: str = "slurm", at_s: float = 1.0) -> Job:
    return Job(
        sweep_id=sweep_id,
        target=target,
        settings={"nodes": 3},
        handle="/shared/42",
        storage="/shared",
        tracking_uri="http://host:5000",
        submitted_at_s=at_s,
    )


def test_a_submission_is_found_by_the_beginning_of_its_id_the_newest_first() -> None:
    with pytest.raises(SubmitError, match="nothing was submitted yet"):
        find_job(None)
    for one in (job("digits-1", at_s=2.0), job("digits-1", "ray", at_s=3.0), job("digits-2", at_s=1.0)):
        remember(one)
    assert [(one.sweep_id, one.target) for one in all_jobs()] == [
        ("digits-2", "slurm"),
        ("digits-1", "slurm"),
        ("digits-1", "ray"),
    ]
    assert find_job(None).target == find_job("digits-1").target == "ray"
    with pytest.raises(SubmitError, match="'digits' may be any of digits-2, digits-1: give more"):
        find_job("digits")
    with pytest.raises(SubmitError, match="no sweep 'mnist' was submitted from here: there is digits-1, digits-2"):
        find_job("mnist")
    assert submitter_of(find_job("digits-2")) == Slurm(nodes=3)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({"sweep_id": "digits-1"}),
        json.dumps(asdict(job("digits-1")) | {"submitted_at_s": "yesterday"}),
        json.dumps(asdict(job("digits-1")) | {"submitted_at_s": 1e300}),
        json.dumps(asdict(job("digits-1")) | {"handle": ["42"]}),
        json.dumps(asdict(job("digits-1")) | {"settings": 3}),
        json.dumps(asdict(job("digits-1")) | {"storage": "\x1b]0;owned\x07"}),
    ],
)
def test_a_malformed_record_hides_none_of_the_others(content: str) -> None:
    remember(job("digits-2"))
    wrong = jobs_folder() / "digits-1.slurm.json"
    wrong.write_text(content)
    assert [one.sweep_id for one in all_jobs()] == ["digits-2"]
    assert find_job(None).sweep_id == "digits-2"
    assert damaged_records() == [wrong]
