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

from orchestrator.cli import program
from orchestrator.reports.frontier import write_frontier
from tests.analysis.points.store import Writer
from tests.analysis.points.test_published import written
from trainers.record import OtherQuality, others_text

FILE = b"the bytes of a compressed network"


@pytest.fixture
def folder(workplace: Path) -> Path:
    """A folder with a sweep of one trial with one point, which is in MLflow and on disk."""
    client = MlflowClient(address(workplace))
    experiment = client.create_experiment("digits", (workplace / "artifacts").as_uri())
    sweep = Writer(client, experiment, "digits-0123abcd", directory=str(workplace / "sweep"))
    run_id = sweep.trial("t0", 1, file=FILE)
    (workplace / "sweep" / "t0").mkdir(parents=True)
    (workplace / "sweep" / "t0" / "0.rfz").write_bytes(FILE)
    client.log_artifact(run_id, str(workplace / "sweep" / "t0" / "0.rfz"))
    return workplace


def address(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--tracking-uri", address(folder)])


def test_best_names_the_whole_path_of_the_file(folder: Path) -> None:
    said = call(folder, "best", "--max-size", "2kB")
    assert said.exit_code == 0
    assert said.stdout.splitlines()[0] == str(folder / "sweep" / "t0" / "0.rfz")
    chosen = json.loads(call(folder, "best", "--min-accuracy", "0.9", "--json").stdout)
    assert chosen["file"] == str(folder / "sweep" / "t0" / "0.rfz")
    assert chosen["file_path"] == "t0/0.rfz"


def test_a_quality_to_reach_may_be_one_where_lower_is_better(folder: Path) -> None:
    wanted = ["--quality", "0.9", "--json"]
    assert call(folder, "best", *wanted).stdout == call(folder, "best", "--min-accuracy", *wanted[1:]).stdout
    help_text = call(folder, "best", "--help").stdout
    assert "--quality" in help_text
    assert "at most where lower is better" in " ".join(help_text.replace("│", " ").split())
    said = call(folder, "best")
    assert said.stderr == "ratefront: give one of --max-size (such as 10kB) and --quality (such as 0.98)\n"


def test_the_nearest_to_a_given_network_is_chosen_drawn_and_told(folder: Path) -> None:
    """The point that the fixture logs knows of no given network."""
    client = MlflowClient(address(folder))
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    sweep = Writer(client, experiment.experiment_id, "near-0123abcd", directory=str(folder / "sweep"))
    for name, size, kl in (("t1", 900, 0.25), ("t2", 1900, 0.0625)):
        near = {"size_bytes": size, "fidelity_kl": kl, "fidelity_agreement": 1 - kl}
        sweep.trial(name, 1, file=FILE, measured=near, config_hash=name)
        (folder / "sweep" / name).mkdir()
        (folder / "sweep" / name / "0.rfz").write_bytes(FILE)
    out = ["--out", str(folder / "out")]
    drawn = call(folder, "frontier", "--fidelity", "kl", *out)
    assert "1 of 3 points have no kl and are left out: only trials that start from one whole network" in drawn.stderr
    assert "KL (nats)" in drawn.stdout
    assert "0.0625" in drawn.stdout
    assert "kl_mean" in (folder / "out" / "frontier.csv").read_text()
    best = ["best", "--max-size", "2kB", "--fidelity"]
    for distance, value in (("kl", "0.0625 nats"), ("disagreement", "6.25 %")):
        path, said = call(folder, *best, distance).stdout.splitlines()
        assert path.endswith("t2/0.rfz")
        assert f" given network {value} on validation, accuracy 95.00 % on test" in said
    assert json.loads(call(folder, *best, "kl", "--json").stdout)["file_agreement"] == 0.9375
    rows = json.loads(call(folder, "frontier", "--fidelity", "kl", "--json").stdout)
    assert [(row["quality_val_mean"], row["file_kl"]) for row in rows] == [(0.25, 0.25), (0.0625, 0.0625)]
    assert "kl_mean" not in call(folder, "frontier", "digits", "--json").stdout
    for arguments, expected in (
        ([*best, "output_error"], "no point has output_error: the networks' outputs are classes"),
        (["frontier", "digits", "--fidelity", "kl", *out], "no point has kl: only trials that start from one whole"),
        (
            ["frontier", "--fidelity", "kl", "--published", "own.csv", *out],
            "papers print no distance from your network",
        ),
    ):
        said_wrong = call(folder, *arguments)
        assert said_wrong.exit_code == 2
        assert expected in said_wrong.stderr
        assert said_wrong.stderr.count("\n") == 1


def test_another_quality_of_the_task_chooses_where_it_is_asked_to(folder: Path) -> None:
    client = MlflowClient(address(folder))
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    sweep = Writer(client, experiment.experiment_id, "several-0123abcd", directory=str(folder / "sweep"))
    for name, size, error in (("t1", 900, 0.25), ("t2", 1900, 0.0625)):
        run_id = sweep.trial(name, 1, file=FILE, measured={"size_bytes": size}, config_hash=name)
        others = others_text({"error": OtherQuality(maximise=False, quality=2 * error, quality_val=error)})
        client.set_tag(run_id, "ratefront.others", others)
        (folder / "sweep" / name).mkdir()
        (folder / "sweep" / name / "0.rfz").write_bytes(FILE)
    out = ["--out", str(folder / "out")]
    drawn = call(folder, "frontier", "--judge-by", "error", *out)
    assert "1 of 3 points have no error and are left out: it was not measured of them" in drawn.stderr
    assert "error, lower is better" in " ".join(drawn.stdout.split())
    path, said = call(folder, "best", "several", "--max-size", "2kB").stdout.splitlines()
    assert path.endswith("t1/0.rfz")
    assert "accuracy 95.00 % on test, 96.00 % on validation, error 0.500 on test; " in said
    path, said = call(folder, "best", "--max-size", "2kB", "--judge-by", "error").stdout.splitlines()
    assert path.endswith("t2/0.rfz")
    assert ", error 0.125 on test, 0.0625 on validation, accuracy 95.00 % on test, 96.00 % on validation; " in said
    rows = json.loads(call(folder, "frontier", "several", "--json").stdout)
    assert [row["quality.error_mean"] for row in rows] == [0.5, 0.125]
    compared = call(folder, "compare", "digits", "several", "--judge-by", "eror", "--json")
    assert compared.stderr == "ratefront: no point has a quality 'eror'; valid: accuracy\n"
    both = call(folder, "best", "--max-size", "2kB", "--judge-by", "error", "--fidelity", "kl")
    assert both.stderr == "ratefront: got --fidelity and --judge-by: give one of them\n"


def test_best_says_where_the_copy_of_a_moved_file_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """A folder with a sweep of LeNet5 on MNIST, which has one point of 1000 bytes."""
    client = MlflowClient(address(tmp_path))
    experiment = client.create_experiment("lenet5", (tmp_path / "artifacts").as_uri())
    Writer(client, experiment, "lenet5-0123abcd").trial("t0", 1, task="mnist(shift=1)", architecture="lenet5")
    return tmp_path


def num_printed(out: Path) -> int:
    """How many printed results a figure shows; the page lists them too, the table does not."""
    num_drawn = (out / "frontier.svg").read_text().count('id="published"')
    assert ("as printed, not measured here" in (out / "frontier.html").read_text()) == (num_drawn > 0)
    assert len((out / "frontier.csv").read_text().splitlines()) == 2
    return num_drawn


def test_figures_show_printed_results_unless_told_otherwise(benchmark: Path) -> None:
    assert call(benchmark, "frontier", "--out", str(benchmark / "out")).exit_code == 0
    assert num_printed(benchmark / "out") == 3
    assert call(benchmark, "frontier", "--no-published", "--out", str(benchmark / "bare")).exit_code == 0
    assert num_printed(benchmark / "bare") == 0


def test_the_figure_at_the_end_of_a_sweep_shows_printed_results(benchmark: Path) -> None:
    assert write_frontier(address(benchmark), ["lenet5"], benchmark / "out") is not None
    assert num_printed(benchmark / "out") == 3


def test_rows_of_an_own_file_are_drawn_beside_those_that_ship(benchmark: Path) -> None:
    own = written(benchmark, {"task": "mnist", "architecture": "lenet5", "source": "Somebody 2024"})
    said = call(benchmark, "frontier", "--published", str(own), "--out", str(benchmark / "out"))
    assert said.exit_code == 0, said.stderr
    assert num_printed(benchmark / "out") == 4
    assert "Somebody 2024" in (benchmark / "out" / "frontier.html").read_text()
    assert "Somebody" not in (benchmark / "out" / "frontier.csv").read_text() + said.stdout


def test_a_mistake_about_printed_results_is_one_line_and_nothing_is_written(benchmark: Path) -> None:
    own = written(benchmark, {})
    mistakes = {
        "no row of ": ["--published", str(own)],
        "wanted task 'mnist(shift=1)', architecture 'lenet5' and quality_name 'accuracy'": ["--published", str(own)],
        "No such file": ["--published", str(benchmark / "none.csv")],
        "got --published and --no-published: give one": ["--published", str(own), "--no-published"],
        "which --json does not write": ["--published", str(own), "--json"],
    }
    for expected, arguments in mistakes.items():
        said = call(benchmark, "frontier", *arguments, "--out", str(benchmark / "out"))
        assert said.exit_code == 2
        assert expected in said.stderr
        assert said.stderr.count("\n") == 1
    assert not (benchmark / "out").exists()


def test_exported_results_are_drawn_and_chosen_from_without_a_store(tmp_path: Path) -> None:
    digits = Path(__file__).parents[3] / "results" / "digits_demo"
    out = ["--out", str(tmp_path / "out"), "--ui-url", "http://127.0.0.1:5000"]
    said = call(tmp_path / "nowhere", "frontier", str(digits), *out)
    assert said.exit_code == 0, said.stderr
    assert "lam=0.05" in said.stdout
    page = (tmp_path / "out" / "frontier.html").read_text()
    assert "/runs/?" not in page  # nobody here has the runs
    chosen = json.loads(call(tmp_path / "nowhere", "best", str(digits), "--max-size", "1kB", "--json").stdout)
    assert Path(chosen["file"]).stat().st_size == chosen["file_size_bytes"] <= 1000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frontier", "./results", "--watch"], "which do not change: --watch needs a sweep"),
        (["export", "./results", "--out", "again"], "wanted the id or the name of a sweep"),
        (["report", "./results", "--out", "report.html"], "wanted the id or the name of a sweep"),
        (["frontier", "./results"], "wanted a folder that ratefront export wrote"),
    ],
)
def test_a_command_that_exported_results_cannot_serve_is_refused_in_one_line(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    result = call(tmp_path, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
