"""The rows of an export."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from analysis.configurations.summary import summarise
from analysis.frontier.table import frontier_csv
from analysis.points.exported import EXPORTED_COLUMNS, POINTS, read_points
from orchestrator.reports.export import _copy_sweep, _environments, _readme
from orchestrator.reports.points import points_csv
from orchestrator.storage.folder import MemoryFolder
from orchestrator.storage.journal import Journal
from tests.analysis.points.rows import frame
from trainers.coding.container import PartSize
from trainers.points import _table
from trainers.record import OtherQuality, others_text


def test_columns_of_what_is_odd_are_written_where_a_file_is_odd() -> None:
    """So an export without such files is that of earlier versions, which know no such columns."""
    rows = [{"config_hash": "a"}, {"config_hash": "b"}]
    assert tuple(next(csv.reader(io.StringIO(points_csv(frame(*rows)))))) == EXPORTED_COLUMNS
    found = list(
        csv.DictReader(io.StringIO(points_csv(frame(rows[0], {**rows[1], "zero_weights": "1.weight, 3.weight"}))))
    )
    assert tuple(found[0]) == (*EXPORTED_COLUMNS, "zero_weights")
    assert [row["zero_weights"] for row in found] == ["", "1.weight, 3.weight"]


def test_how_near_points_are_to_a_given_network_comes_back_from_an_export(tmp_path: Path) -> None:
    rows = [{"config_hash": "a", "kl": 0.0123, "agreement": 0.75}, {"config_hash": "b"}]
    points = frame(*rows, {"config_hash": "c", "kl": 0.0, "agreement": 1.0})
    (tmp_path / POINTS).write_text(points_csv(points))
    read = read_points(tmp_path)
    near = ["kl", "agreement", "output_error"]
    pd.testing.assert_frame_equal(read[near], points[near], check_exact=True)
    assert (tmp_path / POINTS).read_text().splitlines()[2].endswith(",,"), "nothing stands for what is not known"
    for wrong in ({"kl": -0.5}, {"agreement": 1.5}, {"kl": math.inf}):
        (tmp_path / POINTS).write_text(points_csv(points.assign(**wrong)))
        with pytest.raises(ValueError, match=rf"line 2: {next(iter(wrong))} is "):
            read_points(tmp_path)


def test_other_qualities_come_back_from_an_export(tmp_path: Path) -> None:
    others = others_text({'a, "b"': OtherQuality(maximise=False, quality=1 / 3, quality_val=0.25)})
    points = frame({"config_hash": "a", "others": others}, {"config_hash": "b"})
    (tmp_path / POINTS).write_text(points_csv(points))
    assert read_points(tmp_path)["others"].tolist() == [others, ""]
    assert "| test a, " in _readme("s-1", points, summarise(points), {}, Counter())
    (tmp_path / POINTS).write_text(points_csv(points.assign(others="{}}")))
    with pytest.raises(ValueError, match=r"line 2: others is '{}}': wanted qualities by name"):
        read_points(tmp_path)


def test_texts_that_a_spreadsheet_would_compute_are_quoted_wherever_csv_is_written() -> None:
    points = frame({"config_hash": "a", "method": "=cmd()"})
    assert next(csv.DictReader(io.StringIO(points_csv(points))))["method"] == "'=cmd()"
    assert next(csv.DictReader(io.StringIO(frontier_csv(summarise(points)))))["method"] == "'=cmd()"
    size = PartSize(part="tensor", name="@a.weight", size_bytes=1.0)
    assert b"tensor,'@a.weight,1.000" in _table([size])


def test_the_readme_of_an_export_has_no_markup_of_others() -> None:
    bad = "<img src=x onerror=alert(1)>"
    points = frame({"config_hash": "a", "method": bad, "architecture": bad, "task": bad, "quality_name": bad})
    configurations = summarise(points)
    text = _readme("s-1", points, configurations, {}, Counter({(("device", bad),): 1}))
    assert text.count(bad) >= 4
    assert [line for line in text.splitlines() if bad in re.sub("`[^`]*`", "", line)] == []


def test_a_damaged_sweep_file_is_not_exported_and_one_line_says_so(tmp_path: Path) -> None:
    source, target = tmp_path / "sweep.yaml", tmp_path / "out" / "sweep.yaml"
    source.write_text("name: small\ntask: digits\narchitecture: mlp\nmethod: ptq\n")
    assert _copy_sweep(source, target) == []
    assert target.read_bytes() == source.read_bytes()
    for damaged in (b"name: small\n" + bytes(40), b"name: small\ntask: digits\n"):
        source.write_bytes(damaged)
        (line,) = _copy_sweep(source, target)
        assert line.startswith(f"{source} is damaged (")
        assert not target.exists()


def test_a_sweep_of_the_users_own_task_is_exported_where_that_is_not(tmp_path: Path) -> None:
    source, target = tmp_path / "sweep.yaml", tmp_path / "out" / "sweep.yaml"
    source.write_text("name: own\ntask: nowhere:task\narchitecture: nowhere:network\nmethod: ptq\n")
    assert _copy_sweep(source, target) == []
    assert target.read_bytes() == source.read_bytes()


def test_what_a_damaged_trial_ran_on_is_left_out_and_one_line_says_so() -> None:
    journal = Journal(MemoryFolder())
    points = frame({"config_hash": "a", "trial_id": "a"}, {"config_hash": "b", "trial_id": "b"}, {"trial_id": "c"})
    for trial_id in ("a", "b"):
        journal.begin(trial_id, {}, {"device": "a processor"})
    journal._folder.write("trials/b/trial.json", b"{")
    damage: list[str] = []
    assert _environments(journal, points, damage) == {(("device", "a processor"),): 1}
    assert ["trials/b/trial.json is damaged" in damage[0], "trials/c/trial.json" in damage[1]] == [True, True]
