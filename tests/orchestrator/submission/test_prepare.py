"""A submitter and a submission are made of what a command was told; mistakes and secrets are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.submission.base import SubmitError
from orchestrator.submission.prepare import choose_submitter, prepare_submission
from orchestrator.submission.slurm import Slurm
from orchestrator.sweep.definition import Sweep

SWEEP = Sweep.from_dict({"task": "digits", "architecture": "mlp", "method": "ptq"})


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_settings_come_from_the_command_line_over_a_file(tmp_path: Path) -> None:
    assert choose_submitter("slurm", ["nodes=4", "time=12:00:00", "account=123"]) == (
        "slurm",
        Slurm(nodes=4, time="12:00:00", account="123"),
    )
    (tmp_path / "site.yaml").write_text("to: slurm\nnodes: 2\npartition: gpu\n")
    assert choose_submitter(str(tmp_path / "site.yaml"), ["nodes=8"]) == ("slurm", Slurm(nodes=8, partition="gpu"))


@pytest.mark.parametrize(
    ("to", "settings", "message"),
    [
        ("slrum", [], "unknown target 'slrum': wanted ray, kuberay, slurm, here, or a .yaml file"),
        ("nowhere", [], "unknown target 'nowhere': wanted ray, kuberay, slurm, here, or a .yaml file"),
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
        choose_submitter(to, settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def submission(**changes: object) -> object:
    given = {"storage": "/shared", "tracking_uri": "http://host:5000", "env": [], "include": []}
    return prepare_submission(SWEEP, folder=Path("/nowhere"), **{**given, **changes})  # type: ignore[arg-type]


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
    prepared = prepare_submission(
        SWEEP, storage="/s", tracking_uri=None, env=["TOKENIZERS_PARALLELISM=b=c"], include=[], folder=Path("/nowhere")
    )
    assert (prepared.tracking_uri, prepared.env, prepared.sweep_id) == (
        "http://there:5000",
        {"TOKENIZERS_PARALLELISM": "b=c"},
        SWEEP.sweep_id,
    )
