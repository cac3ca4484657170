"""Which curves are drawn."""

from __future__ import annotations

import pytest

from analysis.configurations.summary import summarise
from analysis.report.curves import curves, shown
from tests.analysis.points.rows import frame
from tests.analysis.report.samples import material, measured, report


def test_of_a_long_frontier_the_ends_are_drawn() -> None:
    configurations = summarise(measured())
    front = configurations[configurations["on_front"]].sort_values("file_size_bytes")
    rows = shown(configurations)
    assert len(rows) == 5 < len(front)
    assert list(rows["config_hash"].iloc[[0, -1]]) == list(front["config_hash"].iloc[[0, -1]])


def test_of_a_training_with_several_points_one_is_drawn() -> None:
    points = frame(
        {"config_hash": "a", "point_id": "0", "size_bytes": 100, "quality_val": 0.8},
        {"config_hash": "a", "point_id": "1", "size_bytes": 200, "quality_val": 0.9},
    )
    assert len(shown(summarise(points))) == 1


def test_every_seed_of_a_column_is_a_line() -> None:
    made = material()
    assert made.curves["trial_id"].nunique() == 15
    assert f"(5 of the {len(made.front)} on the frontier)" in curves(made)


def test_where_nothing_was_reported_it_is_said() -> None:
    made = material()
    assert "No training on the frontier left a report" in curves(material(curves=made.curves[:0]))


@pytest.mark.parametrize("changes", [{"rate_comparable": False}, {"quality_val": 0.5}, {"train_loss": -1.0}])
def test_a_metric_that_has_nothing_to_show_leaves_its_panels_empty(changes: dict[str, object]) -> None:
    alone = material(frame({}))
    assert curves(material(frame({}), curves=alone.curves.assign(**changes)))
    assert curves(material(frame({}), curves=alone.curves[:1].assign(**changes)))


def test_a_report_has_the_columns_that_are_drawn() -> None:
    assert set(report("a", 100)) == set(material().curves.columns)
