"""The command that compares measured sweeps, on a small MLflow database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from mlflow import MlflowClient
from typer.testing import CliRunner

from orchestrator.cli import program
from tests.analysis.points.store import Writer

RESULTS = Path(__file__).parents[3] / "results"


@pytest.fixture
def store(workplace: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{workplace}/mlflow.db")


def log(
    client: MlflowClient, folder: Path, name: str, *, factor: float = 1.0, num_seeds: int = 3, **params: str
) -> None:
    """Log a finished sweep of five configurations, with sizes scaled by ``factor``."""
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name, (folder / "artifacts").as_uri())
    sweep = Writer(client, experiment, f"{name}-0123abcd")
    for index in range(5):
        quality = 0.90 + 0.01 * index
        measured = {"size_bytes": 1000.0 * 2**index * factor, "accuracy": quality, "accuracy_val": quality}
        for seed in range(num_seeds):
            label = "-".join([*params.values(), str(index)])
            sweep.trial(f"{label}-{seed}", 1, config_hash=label, measured=measured, seed=str(seed), **params)


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(program, ["compare", *arguments, "--tracking-uri", f"sqlite:///{folder}/mlflow.db"])


def test_two_sweeps_are_compared_by_name_and_drawn(store: MlflowClient, tmp_path: Path) -> None:
    log(store, tmp_path, "long")
    log(store, tmp_path, "short", factor=0.75)
    said = call(tmp_path, "long", "short", "--out", str(tmp_path / "out"))
    assert said.exit_code == 0, said.stderr
    expected = (
        "short needs 25 % fewer bytes than long at equal accuracy "
        "(95 % interval 25 to 25 % over 3 seeds, overlap 100 %)."
    )
    assert expected in said.stdout.splitlines()
    assert said.stdout.splitlines()[-1] == (
        f"figures: {tmp_path}/out: compare.html, compare.png, compare.svg, difference.png, difference.svg"
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "compare.html",
        "compare.png",
        "compare.svg",
        "difference.png",
        "difference.svg",
    ]
    svg = (tmp_path / "out" / "compare.svg").read_text()
    assert "digits: short against long" in svg
    assert svg.count('id="front"') == svg.count('id="band"') == 2


def test_one_sweep_is_split_by_method_with_an_anchor_of_choice(store: MlflowClient, tmp_path: Path) -> None:
    log(store, tmp_path, "digits", method="epr", factor=0.5)
    log(store, tmp_path, "digits", method="ptq")
    log(store, tmp_path, "digits", method="uncompressed", factor=100)
    said = call(tmp_path, "digits", "--by", "method", "--anchor", "ptq", "--json")
    assert said.exit_code == 0, said.stderr
    data = json.loads(said.stdout)
    assert [side["name"] for side in data["fronts"]] == ["ptq", "epr"]
    assert data["against_anchor"][0]["bd_rate_percent"]["pchip"] == pytest.approx(-50)
    assert not (tmp_path / "compare").exists()
    for arguments, first in (([], "ptq"), (["--anchor", "epr"], "epr")):
        said = call(tmp_path, "digits", "--by", "method", "--json", *arguments)
        assert json.loads(said.stdout)["anchor"] == first


def test_sweeps_of_one_name_are_named_by_their_ids(store: MlflowClient, tmp_path: Path) -> None:
    log(store, tmp_path, "digits", num_seeds=1)
    other = Writer(store, store.get_experiment_by_name("digits").experiment_id, "digits-89abcdef")
    other.trial("t0", 1)
    said = call(tmp_path, "digits-0123abcd", "digits", "--json")
    assert [side["name"] for side in json.loads(said.stdout)["fronts"]] == ["digits-0123abcd", "digits-89abcdef"]


def test_a_task_is_chosen_where_there_are_several(store: MlflowClient, tmp_path: Path) -> None:
    log(store, tmp_path, "both", num_seeds=1)
    log(store, tmp_path, "both", num_seeds=1, task="my moons")
    log(store, tmp_path, "one", num_seeds=1)
    refused = call(tmp_path, "both", "one")
    assert refused.exit_code == 2
    assert "give --task digits" in refused.stderr
    data = json.loads(call(tmp_path, "both", "one", "--task", "digits", "--json").stdout)
    assert data["task"] == "digits"
    refused = call(tmp_path, "both", "one", "--task", "my moons")
    assert "no points of task 'my moons'" in refused.stderr


def test_a_mistake_is_said_in_one_line_and_nothing_is_written(store: MlflowClient, tmp_path: Path) -> None:
    log(store, tmp_path, "digits", num_seeds=1)
    log(store, tmp_path, "moons", num_seeds=1, task="moons")
    Writer(store, store.create_experiment("new", (tmp_path / "artifacts").as_uri()), "new-0123abcd")
    mistakes = {
        "got 1 sweep: wanted at least two, or one with --by method": ["digits"],
        "is sweep digits-0123abcd, which is given twice": ["digits", "digits-0123abcd"],
        "the sweeps share no task: digits-0123abcd has digits; moons-0123abcd has moons": ["digits", "moons"],
        "sweep 'new' has no finished point yet": ["digits", "new"],
        "no sweep 'digit'; did you mean 'digits'?": ["digits", "digit"],
        "got --anchor epr without --by": ["digits", "new", "--anchor", "epr"],
        "cannot be split by method: 'epr' is its only method": ["digits", "--by", "method"],
    }
    for expected, arguments in mistakes.items():
        said = call(tmp_path, *arguments, "--out", str(tmp_path / "out"))
        assert said.exit_code == 2
        assert expected in said.stderr
        assert said.stderr.count("\n") == 1
    log(store, tmp_path, "digits", num_seeds=1, method="ptq")
    said = call(tmp_path, "digits", "--by", "method", "--anchor", "pqt")
    assert "no method 'pqt' there; did you mean 'ptq'?" in said.stderr
    assert not (tmp_path / "out").exists()


def test_exported_results_are_compared_without_a_store(tmp_path: Path) -> None:
    common = ["--by", "method", "--anchor", "ptq", "--out", str(tmp_path / "out")]
    said = call(tmp_path / "nowhere", str(RESULTS / "digits_demo"), *common)
    assert said.exit_code == 0, said.stderr
    assert "epr needs 76 % fewer bytes than ptq at equal accuracy" in said.stdout
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "lam=1.5" in page
    said = call(tmp_path / "nowhere", str(RESULTS / "digits_demo"), str(RESULTS / "digits_demo" / "points.csv"))
    assert said.exit_code == 2
    assert "is given twice" in said.stderr
