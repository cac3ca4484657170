"""The tables among the artifacts of a sweep's own run."""

from __future__ import annotations

import json

from analysis.configurations.summary import summarise
from orchestrator.tracking.ui.tables import PATHS, logged_tag, table_files
from tests.orchestrator.tracking.ui.samples import points


def test_the_frontier_is_a_row_for_each_of_its_configurations_smallest_first() -> None:
    rows = points()
    configurations = summarise(rows)
    table = json.loads(table_files(configurations, rows)["frontier/frontier.json"])
    assert len(table["data"]) == int(configurations["on_front"].sum()) == 6
    sizes = [row[table["columns"].index("file_size_bytes")] for row in table["data"]]
    assert sizes == [100, 110, 120, 130, 140, 150]


def test_every_point_is_a_row() -> None:
    rows = points()
    table = json.loads(table_files(summarise(rows), rows)["frontier/points.json"])
    assert len(table["data"]) == len(rows)


def test_the_tag_names_the_files() -> None:
    rows = points()
    assert set(table_files(summarise(rows), rows)) == set(PATHS)
    assert [entry["path"] for entry in json.loads(logged_tag())] == list(PATHS)
