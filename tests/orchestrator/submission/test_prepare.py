"""From a command's words to a target; what was submitted is found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.submission import SUBMITTERS
from orchestrator.submission.base import AbstractSubmitter, SubmitError, short_name
from orchestrator.submission.jobs import Job, find_job, jobs, keep
from orchestrator.submission.prepare import choose, prepare, submitter_of
from orchestrator.submission.slurm import Slurm
from orchestrator.sweep.definition import Sweep

SWEEP = Sweep.from_dict({"task": "digits", "architecture": "mlp", "method": "ptq"})


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


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


def test_settings_come_from_the_command_line_over_a_file(tmp_path: Path) -> None:
    assert choose("slurm", ["nodes=4", "time=12:00:00", "account=123"]) == (
        "slurm",
        Slurm(nodes=4, time="12:00:00", account="123"),
    )
    (tmp_path / "site.yaml").write_text("to: slurm\nnodes: 2\npartition: gpu\n")
    assert choose(str(tmp_path / "site.yaml"), ["nodes=8"]) == ("slurm", Slurm(nodes=8, partition="gpu"))


@pytest.mark.parametrize(
    ("to", "settings", "message"),
    [
        ("slrum", [], "unknown target 'slrum'; did you mean 'slurm'"),
        ("slurm", ["node=4"], "slurm has no setting 'node'; did you mean 'nodes'"),
        ("slurm", ["nodes=many"], "slurm: nodes is 'many': wanted a valid integer"),
        ("slurm", ["nodes=0"], "slurm: nodes is 0: wanted greater than or equal to 1"),
        ("slurm", ["nodes"], "wanted key=value, such as nodes=4"),
        ("slurm", ["nodes=2", "array=2"], "slurm: nodes is 2 and array is 2: each job of an array has one node"),
        ("ray", ["address=ray://head:10001"], "wanted that of the cluster's dashboard, such as http://127.0.0.1:8265"),
        ("ray", ["address=http://me:secret@host"], "ray: address is 'http://host': it holds a password"),
        ("nowhere.yaml", [], "cannot read nowhere.yaml: No such file or directory"),
    ],
)
def test_a_mistake_says_what_was_wanted(to: str, settings: list[str], message: str) -> None:
    with pytest.raises(SubmitError) as caught:
        choose(to, settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def submission(**changes: object) -> object:
    given = {"storage": "/shared", "tracking_uri": "http://host:5000", "env": [], "include": []}
    return prepare(SWEEP, folder=Path("/nowhere"), **{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"storage": None}, "give --storage a folder that all nodes of the cluster share"),
        ({"storage": "sweeps"}, "wanted a whole path"),
        ({"storage": "s3://key:secret@bucket/sweeps"}, "came with a key, which everybody would see"),
        ({"storage": "http://host/sweeps"}, "wanted a folder, or a bucket such as s3://bucket/sweeps"),
        ({"tracking_uri": None}, "give --tracking-uri the address of MLflow as the cluster sees it"),
        ({"tracking_uri": "http://me:secret@host"}, "--tracking-uri holds a password"),
        ({"tracking_uri": "sqlite:///mlflow.db"}, "wanted a whole path, such as sqlite:////shared/mlflow.db"),
        ({"env": ["1A=2"]}, "wanted KEY=VALUE"),
        ({"env": ["RATEFRONT_DATA"]}, "wanted KEY=VALUE"),
        ({"env": ["AWS_SECRET_ACCESS_KEY=x"]}, "seems secret"),
        ({"env": ["MLFLOW_TRACKING_PASSWORD=x"]}, "seems secret"),
        ({"env": ["HTTPS_PROXY=http://me:secret@host"]}, "seems secret"),
        ({"tracking_uri": "postgresql://host/mlflow?password=x"}, "--tracking-uri holds a password"),
    ],
)
def test_a_submission_lacks_nothing_and_shows_no_secret(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        submission(**changes)
    assert message in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_the_address_of_mlflow_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there:5000")
    prepared = prepare(
        SWEEP, storage="/s", tracking_uri=None, env=["TOKENIZERS_PARALLELISM=b=c"], include=[], folder=Path("/nowhere")
    )
    assert (prepared.tracking_uri, prepared.env, prepared.sweep_id) == (
        "http://there:5000",
        {"TOKENIZERS_PARALLELISM": "b=c"},
        SWEEP.sweep_id,
    )


def test_a_submission_is_found_by_the_beginning_of_its_id_the_newest_first() -> None:
    with pytest.raises(SubmitError, match="nothing was submitted yet"):
        find_job(None)
    for one in (job("digits-1", at_s=2.0), job("digits-1", "ray", at_s=3.0), job("digits-2", at_s=1.0)):
        keep(one)
    assert [(one.sweep_id, one.target) for one in jobs()] == [
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


def test_a_name_keeps_the_hash_however_long_it_is() -> None:
    assert short_name("My_sweep.v2-0a1b2c3d", longest=47) == "my-sweep-v2-0a1b2c3d"
    long = short_name("x" * 80 + "-0a1b2c3d", longest=47)
    assert len(long) == 47
    assert long.endswith("x-0a1b2c3d")


@pytest.mark.parametrize("kind", SUBMITTERS.values())
def test_settings_of_every_target_come_back_from_json(kind: type[AbstractSubmitter]) -> None:
    assert kind.model_validate(json.loads(json.dumps(kind().model_dump()))) == kind()
