"""The rows of an export."""

from __future__ import annotations

import csv
import io

from analysis.points.exported import EXPORTED_COLUMNS
from orchestrator.reports.export import _rows
from tests.analysis.points.rows import frame


def test_columns_of_what_is_odd_are_written_where_a_file_is_odd() -> None:
    """So an export without such files is that of earlier versions, which know no such columns."""
    rows = [{"config_hash": "a"}, {"config_hash": "b"}]
    assert tuple(next(csv.reader(io.StringIO(_rows(frame(*rows)))))) == EXPORTED_COLUMNS
    found = list(csv.DictReader(io.StringIO(_rows(frame(rows[0], {**rows[1], "zero_weights": "1.weight, 3.weight"})))))
    assert tuple(found[0]) == (*EXPORTED_COLUMNS, "zero_weights")
    assert [row["zero_weights"] for row in found] == ["", "1.weight, 3.weight"]
