"""A finished sweep's report is in MLflow from its end on; the command makes it again; its numbers are measured."""

from __future__ import annotations

import base64
import csv
import re
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.sweep.file import load_sweep
from tests.analysis.report.test_markup import read
from tests.console import NUM_FAILED, NUM_TRIALS, Finished, call


@pytest.fixture(scope="module")
def logged(finished: Finished) -> str:
    """The report's text in MLflow."""
    client = MlflowClient(finished.tracking_uri)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`ratefront.kind` = 'sweep'")
    return Path(client.download_artifacts(parent.info.run_id, "report/report.html")).read_text()


def test_the_command_writes_what_the_end_of_the_sweep_logged(finished: Finished, logged: str, tmp_path: Path) -> None:
    said = call(finished.folder, "report", "tiny", "--out", str(tmp_path / "report.html"))
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "report.html").read_text() == logged
    assert "the report was not made" not in finished.process.stdout


def test_every_row_of_the_frontier_is_measured(finished: Finished, logged: str) -> None:
    rows = list(csv.DictReader((finished.sweep_directory / "frontier" / "frontier.csv").read_text().splitlines()))
    front = [row for row in rows if row["on_front"] == "True"]
    section = re.search(r'<section id="frontier">.*?</section>', logged, re.DOTALL)
    assert section is not None
    table = section[0].rpartition("<table>")[2]
    assert table.count("<tr>") == 1 + len(front)
    for row in front:
        size = (finished.sweep_directory / row["file_path"]).stat().st_size
        assert f">{size:,}<" in table
        assert f">{100 * float(row['file_quality']):.2f}<" in table


def test_failures_are_counted_and_explained(logged: str) -> None:
    text = read(re.sub(r"<script.*?</script>", "", logged, flags=re.DOTALL)).text
    assert f"Of {NUM_TRIALS} trainings {NUM_TRIALS - NUM_FAILED} finished, {NUM_FAILED} failed." in text
    assert "the training loss became" in text


def test_the_file_in_it_is_the_same_sweep(finished: Finished, logged: str, tmp_path: Path) -> None:
    (address,) = re.findall(r'href="data:application/yaml;base64,([^"]+)"', logged)
    (tmp_path / "tiny.yaml").write_bytes(base64.b64decode(address))
    assert load_sweep(tmp_path / "tiny.yaml").sweep_id == finished.sweep_directory.name


def test_no_path_of_this_machine_is_in_it(finished: Finished, logged: str) -> None:
    assert str(finished.folder) not in logged
