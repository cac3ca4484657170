"""The commands that read measured sweeps, on a small MLflow database."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from mlflow import MlflowClient
from typer.testing import CliRunner

from orchestrator.cli import main
from tests.analysis.store import Writer

FILE = b"the bytes of a compressed network"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a sweep with one trial of one point, logged and on disk."""
    client = MlflowClient(address(tmp_path))
    experiment = client.create_experiment("digits", (tmp_path / "artifacts").as_uri())
    sweep = Writer(client, experiment, "digits-0123abcd", directory=str(tmp_path / "sweep"))
    run_id = sweep.trial("t0", 1, file=FILE)
    (tmp_path / "sweep" / "t0").mkdir(parents=True)
    (tmp_path / "sweep" / "t0" / "0.rfz").write_bytes(FILE)
    client.log_artifact(run_id, str(tmp_path / "sweep" / "t0" / "0.rfz"))
    return tmp_path


def address(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--tracking-uri", address(folder)])


def test_best_names_the_whole_path_of_the_file(folder: Path) -> None:
    said = call(folder, "best", "--max-size", "2kB")
    assert said.exit_code == 0
    assert said.stdout.splitlines()[0] == str(folder / "sweep" / "t0" / "0.rfz")
    chosen = json.loads(call(folder, "best", "--min-accuracy", "0.9", "--json").stdout)
    assert chosen["file"] == str(folder / "sweep" / "t0" / "0.rfz")
    assert chosen["file_path"] == "t0/0.rfz"


def test_best_says_where_the_copy_of_a_file_is_that_moved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sweep").rename(folder / "elsewhere")
    said = call(folder, "best", "--max-size", "2kB")
    assert said.exit_code == 1
    assert said.stdout == ""
    assert said.stderr.count("\n") == 1
    assert "is not there: it has moved, or lies on another machine" in said.stderr
    command = said.stderr.partition("its copy in MLflow: ")[2]
    variable, program, *arguments = shlex.split(command)
    monkeypatch.setenv(*variable.split("=", 1))
    monkeypatch.chdir(folder)
    subprocess.run([Path(sys.executable).parent / program, *arguments], check=True, capture_output=True, timeout=120)
    assert (folder / "0.rfz").read_bytes() == FILE


def test_best_refuses_a_file_that_was_changed(folder: Path) -> None:
    (folder / "sweep" / "t0" / "0.rfz").write_bytes(FILE + b"!")
    said = call(folder, "best", "--max-size", "2kB", "--json")
    assert said.exit_code == 1
    assert said.stdout == ""
    assert "has changed: its sha256 is" in said.stderr


def test_several_tasks_are_refused_with_the_option_and_the_tasks(folder: Path) -> None:
    client = MlflowClient(address(folder))
    experiment = client.create_experiment("moons", (folder / "artifacts").as_uri())
    Writer(client, experiment, "moons-0123abcd").trial("t0", 1, task="moons:task(noise=0.3)")
    for command in (["frontier", "--out", str(folder / "out")], ["best", "--max-size", "2kB"]):
        said = call(folder, *command)
        assert said.exit_code == 2
        assert "give --task digits or --task 'moons:task(noise=0.3)'" in said.stderr
        assert said.stderr.count("\n") == 1
    assert call(folder, "best", "--max-size", "2kB", "--task", "digits").exit_code == 0


def test_a_shared_csv_file_names_no_folder(folder: Path) -> None:
    said = call(folder, "frontier", "--out", str(folder / "out"))
    assert said.exit_code == 0
    assert "accuracy" in said.stdout
    text = (folder / "out" / "frontier.csv").read_text()
    assert "t0/0.rfz" in text
    assert str(folder) not in text


def test_a_percentage_is_refused(folder: Path) -> None:
    said = call(folder, "best", "--min-accuracy", "97")
    assert said.exit_code == 2
    assert said.stderr == "ratefront: accuracy is a fraction in 0..1: got 97, wanted such as 0.97\n"
