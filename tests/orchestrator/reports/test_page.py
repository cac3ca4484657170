"""The report made from a sweep's folder and MLflow, and the messages where that fails."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import Result
from mlflow import MlflowClient
from typer.testing import CliRunner

import orchestrator.reports.page
from orchestrator.cli import program
from orchestrator.reports.page import log_report
from orchestrator.storage.folder import LocalFolder, MemoryFolder
from orchestrator.storage.journal import Journal
from tests.analysis.points.store import Writer
from tests.points import point
from trainers.record import cell_of

CONFIG = {
    "task": {"name": "digits"},
    "architecture": {"name": "mlp", "hidden": [64]},
    "method": {"name": "epr"},
    "seed": 0,
}
SWEEP = """
name: digits
task: {name: digits}
architecture: [{name: mlp, hidden: [64]}]
method: [{name: epr, lam: {choice: [0.1, 1.0]}}]
steps: 9
batch_size: 64
seeds: 1
search: {name: grid, num_values: 6}
"""


@pytest.fixture
def folder(workplace: Path) -> Path:
    """A sweep with a trial that finished, one that failed and one that runs; MLflow has the first."""
    client = MlflowClient(address(workplace))
    experiment = client.create_experiment("digits", (workplace / "artifacts").as_uri())
    Writer(client, experiment, "digits-0123abcd", directory=str(workplace / "sweep")).trial("t0", 1)
    journal = Journal(LocalFolder(workplace / "sweep"))
    (workplace / "sweep").mkdir()
    (workplace / "sweep" / "sweep.yaml").write_text(SWEEP)
    for trial_id in ("t0", "t1", "t2"):
        journal.begin(trial_id, CONFIG, {"device": "a processor"})
        report = {"step": 9, "train_loss": 0.5, "rate_bits": 7e3, "rate_comparable": True, "quality_val": 0.9}
        (journal.trial_directory(trial_id) / "progress.jsonl").write_text(f"{json.dumps(report | {'train_s': 1.25})}\n")
    journal.finish("t0", [point(trial_id="t0", path="t0/0.rfz")])
    journal.fail("t1", "it diverged")
    (workplace / "sweep" / "t0").mkdir()
    (workplace / "sweep" / "t0" / "0.sections.csv").write_text("part,name,size_bytes\ntensor,1.weight,940.5\n")
    return workplace


def address(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(program, ["report", *arguments, "--tracking-uri", address(folder)])


def test_the_page_has_what_the_folder_and_mlflow_have(folder: Path) -> None:
    said = call(folder, "digits", "--out", str(folder / "new" / "report.html"))
    assert said.exit_code == 0, said.stderr
    assert said.stdout.startswith(f"{folder}/new/report.html: 5.")
    page = (folder / "new" / "report.html").read_text()
    assert "Of 3 trainings 1 finished, 1 failed, 1 did not end." in page
    assert "it diverged" in page
    assert "4.0 s of training" in page  # 1.5 s in the point, and 1.25 s in the last report of each of the other two
    assert "a processor" in page
    assert SWEEP.strip().splitlines()[0] in page
    assert "Entropy-penalized reparameterization (EPR)" in page
    assert 'id="layers-axes_1' in page
    assert 'id="curves-axes_1' in page
    assert str(folder) not in page


def test_the_page_reads_the_files_of_printed_results_that_it_is_given(folder: Path) -> None:
    for arguments in (["--no-published"], ["--published", str(folder / "none.csv")]):
        said = call(folder, "digits", "--out", str(folder / "report.html"), *arguments)
        assert said.exit_code == (0 if arguments == ["--no-published"] else 2)
    assert "No such file" in said.stderr


def test_where_the_folder_has_moved_the_message_names_the_logged_report(folder: Path) -> None:
    (folder / "sweep").rename(folder / "elsewhere")
    said = call(folder, "digits", "--out", str(folder / "report.html"))
    assert said.exit_code == 2
    assert said.stderr.count("\n") == 1
    assert "report/report.html among the artifacts of its run digits-0123abcd" in said.stderr
    assert not (folder / "report.html").exists()


def test_a_sweep_without_a_point_and_an_unknown_sweep_are_refused(folder: Path) -> None:
    client = MlflowClient(address(folder))
    Writer(client, client.create_experiment("empty", (folder / "artifacts").as_uri()), "empty-0123abcd")
    said = call(folder, "empty", "--out", str(folder / "report.html"))
    assert said.exit_code == 1
    assert said.stderr == "ratefront: sweep 'empty' has no finished point yet: nothing to report\n"
    said = call(folder, "digit")
    assert said.exit_code == 2
    assert "did you mean" in said.stderr


class Told:
    """A tracker that keeps the pages it is given."""

    def __init__(self) -> None:
        self.pages: list[str] = []

    def report(self, page: str) -> None:
        self.pages.append(page)


def test_an_error_in_the_report_is_returned_as_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker, journal = Told(), Journal(MemoryFolder())

    def fail(*_: object, **__: object) -> str:
        raise KeyError("a\nb")

    monkeypatch.setattr(orchestrator.reports.page, "written_from", fail)
    assert log_report(tracker, journal, None, ui_url=None) == "KeyError: 'a\\nb'"
    monkeypatch.setattr(orchestrator.reports.page, "written_from", lambda *_, **__: "<html>")
    assert log_report(tracker, journal, None, ui_url=None) == ""
    assert tracker.pages == ["<html>"]


def test_a_trial_that_did_not_end_has_no_time_of_its_end(folder: Path) -> None:
    row = orchestrator.reports.page._trial(Journal(LocalFolder(folder / "sweep")), "t2", lambda line: None)
    assert row["outcome"] == "unfinished"
    assert math.isnan(row["ended_at_s"])
    assert row["train_s"] == 1.25


@pytest.mark.parametrize(("kind", "ends"), [("ended.json", "2 failed"), ("trial.json", "1 failed")])
def test_a_trial_whose_files_are_damaged_is_named_and_costs_the_page_no_other(
    kind: str, ends: str, folder: Path
) -> None:
    (folder / "sweep" / "trials" / "t2" / "ended.json").touch()
    (folder / "sweep" / "trials" / "t2" / kind).write_bytes(b"{")
    said = call(folder, "digits", "--out", str(folder / "report.html"))
    assert said.exit_code == 0, said.stderr
    (line,) = [line for line in said.stderr.splitlines() if "is damaged" in line]
    assert line.startswith(f"ratefront: {folder}/sweep/trials/t2/{kind} is damaged (")
    page = (folder / "report.html").read_text()
    assert f"1 finished, {ends}" in page
    assert ("its ended.json is damaged" in page) == (kind == "ended.json")


def test_names_that_csv_has_with_a_quote_are_shown_without_it(folder: Path) -> None:
    names = ["=cmd.weight", "'=cmd.bias", "'own'", "0.weight"]
    table = "".join(f"tensor,{cell_of(name)},{940.5 + number}\n" for number, name in enumerate(names))
    (folder / "sweep" / "t0" / "0.sections.csv").write_text("part,name,size_bytes\n" + table)
    shares = orchestrator.reports.page._shares(Journal(LocalFolder(folder / "sweep")), "t0/0.rfz")
    assert shares is not None
    assert list(shares["name"]) == names
    assert list(shares["size_bytes"]) == [940.5, 941.5, 942.5, 943.5]
