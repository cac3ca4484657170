"""The rows of an export."""

from __future__ import annotations

import csv
import io

from analysis.configurations.summary import summarise
from analysis.frontier.table import frontier_csv
from analysis.points.exported import EXPORTED_COLUMNS
from orchestrator.reports.export import _rows
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
