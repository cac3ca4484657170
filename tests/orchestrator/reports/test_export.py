"""The rows of an export."""

from __future__ import annotations

import csv
import io
import re
from types import SimpleNamespace
from typing import Any

from analysis.configurations.summary import summarise
from analysis.frontier.table import frontier_csv
from analysis.points.exported import EXPORTED_COLUMNS
from orchestrator.reports.export import _readme, _rows
from tests.analysis.points.rows import frame
from trainers.coding.container import PartSize
from trainers.points import _table


def test_columns_of_what_is_odd_are_written_where_a_file_is_odd() -> None:
    """So an export without such files is that of earlier versions, which know no such columns."""
    rows = [{"config_hash": "a"}, {"config_hash": "b"}]
    assert tuple(next(csv.reader(io.StringIO(_rows(frame(*rows)))))) == EXPORTED_COLUMNS
    found = list(csv.DictReader(io.StringIO(_rows(frame(rows[0], {**rows[1], "zero_weights": "1.weight, 3.weight"})))))
    assert tuple(found[0]) == (*EXPORTED_COLUMNS, "zero_weights")
    assert [row["zero_weights"] for row in found] == ["", "1.weight, 3.weight"]


def test_texts_that_a_spreadsheet_would_compute_are_quoted_wherever_csv_is_written() -> None:
    points = frame({"config_hash": "a", "method": "=cmd()"})
    assert next(csv.DictReader(io.StringIO(_rows(points))))["method"] == "'=cmd()"
    assert next(csv.DictReader(io.StringIO(frontier_csv(summarise(points)))))["method"] == "'=cmd()"
    size = PartSize(part="tensor", name="@a.weight", size_bytes=1.0)
    assert b"tensor,'@a.weight,1.000" in _table([size])


def test_the_readme_of_an_export_has_no_markup_of_others() -> None:
    bad = "<img src=x onerror=alert(1)>"
    points = frame({"config_hash": "a", "method": bad, "architecture": bad, "task": bad, "quality_name": bad})
    configurations = summarise(points)
    journal: Any = SimpleNamespace(environment=lambda trial_id: {"device": bad})
    text = _readme("s-1", points, configurations, {}, journal)
    assert text.count(bad) >= 4
    assert [line for line in text.splitlines() if bad in re.sub("`[^`]*`", "", line)] == []
