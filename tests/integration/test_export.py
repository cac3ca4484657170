"""A sweep's outcome is exported as a folder: complete, with the measured files, and the same sweep when run again."""

from __future__ import annotations

import csv
import hashlib
import shutil
from pathlib import Path

import pandas as pd
import pytest

from analysis.points.exported import EXPORTED_COLUMNS, read_points
from analysis.points.mlflow import load_points
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.file import load_sweep
from tests.analysis.points.test_published import written
from tests.console import NUM_FAILED, NUM_TRIALS, Finished, call


@pytest.fixture(scope="module")
def exported(finished: Finished) -> Path:
    said = call(finished.folder, "export", "tiny", "--out", "results", "--max-file-size", "2kB")
    assert said.returncode == 0, said.stderr
    return finished.folder / "results"


def test_every_point_is_a_row_and_the_files_of_the_frontier_are_there(finished: Finished, exported: Path) -> None:
    rows = list(csv.DictReader((exported / "points.csv").read_text().splitlines()))
    assert len(rows) == NUM_TRIALS - NUM_FAILED
    assert tuple(rows[0]) == EXPORTED_COLUMNS
    files = {str(path.relative_to(exported)): path for path in (exported / "frontier").iterdir()}
    assert files
    for row in rows:
        path = files.pop(row["path"], None) or finished.sweep_directory / row["path"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert path.stat().st_size == int(row["size_bytes"])
    assert not files, "a file has no row"


def test_an_export_is_read_as_what_mlflow_has(finished: Finished, exported: Path) -> None:
    logged = load_points(f"sqlite:///{finished.folder}/mlflow.db", ["tiny"])
    logged = logged.sort_values(["trial_id", "point_id"], ignore_index=True)
    elsewhere = ["run_id", "experiment_id", "directory", "path"]
    pd.testing.assert_frame_equal(read_points(exported).drop(columns=elsewhere), logged.drop(columns=elsewhere))


def test_files_above_the_limit_are_left_out(finished: Finished, exported: Path) -> None:
    rows = list(csv.DictReader((finished.sweep_directory / "frontier" / "frontier.csv").read_text().splitlines()))
    sizes = [int(row["file_size_bytes"]) for row in rows if row["on_front"] == "True"]
    kept = [path.stat().st_size for path in (exported / "frontier").iterdir()]
    assert max(sizes) > 2000
    assert sorted(kept) == sorted(size for size in sizes if size <= 2000)


def test_the_exported_sweep_file_is_the_same_sweep(finished: Finished, exported: Path) -> None:
    assert load_sweep(exported / "sweep.yaml").sweep_id == finished.sweep_directory.name


def test_the_readme_tells_the_command_and_what_it_ran_on(finished: Finished, exported: Path) -> None:
    text = (exported / "README.md").read_text()
    journal = Journal(LocalFolder(finished.sweep_directory))
    assert "    ratefront sweep sweep.yaml" in text
    for key, value in journal.environment(journal.trial_ids()[0]).items():
        assert f"{key} {value}" in text
    for path in (exported / "frontier").iterdir():
        assert f"]({path.relative_to(exported)})" in text
    assert (exported / "frontier.svg").is_file()


def test_the_figure_has_what_papers_print_and_no_other_file_anything_of_it(finished: Finished, tmp_path: Path) -> None:
    first, *_ = csv.DictReader((finished.sweep_directory / "frontier" / "frontier.csv").read_text().splitlines())
    place = {"architecture": first["architecture"], "size_bytes": first["file_size_bytes"]}
    own = str(written(tmp_path, {**place, "quality": first["file_quality"]}))
    for arguments, num_drawn in ((["--published", own], 1), (["--no-published"], 0)):
        said = call(finished.folder, "export", "tiny", "--out", str(tmp_path / "results"), *arguments)
        assert said.returncode == 0, said.stderr
        assert (tmp_path / "results" / "frontier.svg").read_text().count('id="published"') == num_drawn
        for name in ("points.csv", "README.md"):
            assert "Somebody" not in (tmp_path / "results" / name).read_text()


def test_a_changed_file_is_left_out_and_costs_the_others_nothing(finished: Finished, tmp_path: Path) -> None:
    rows = list(csv.DictReader((finished.sweep_directory / "frontier" / "frontier.csv").read_text().splitlines()))
    file = finished.sweep_directory / next(row for row in rows if row["on_front"] == "True")["file_path"]
    whole = tmp_path / "whole.rfz"
    shutil.copy(file, whole)
    file.write_bytes(whole.read_bytes() + b"0")
    try:
        said = call(finished.folder, "export", "tiny", "--out", str(tmp_path / "results"))
    finally:
        shutil.copy(whole, file)
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert f"{file} has changed: its sha256 is" in said.stderr
    text = (tmp_path / "results" / "README.md").read_text()
    assert text.count("missing or changed since it was measured") == 1
    kept = list((tmp_path / "results" / "frontier").iterdir())
    assert len(kept) == sum(row["on_front"] == "True" for row in rows) - 1
    for path in kept:
        assert f"](frontier/{path.name})" in text
