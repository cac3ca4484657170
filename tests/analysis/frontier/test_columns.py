"""The columns of the frontier's table, as each place that shows them has them."""

from __future__ import annotations

import math

import pytest

from analysis.configurations.summary import CONFIGURATION_COLUMNS, summarise
from analysis.fidelity import judged_by
from analysis.frontier.columns import IN_NOTE, IN_README, IN_REPORT, LOGGED, ON_TERMINAL, Column, Row, shown
from tests.analysis.points.rows import frame, seeds

PLACES = {
    "terminal": ON_TERMINAL,
    "note": IN_NOTE,
    "report": IN_REPORT,
    "readme": IN_README,
    "logged": LOGGED,
}
NEAR = {"terminal": 4, "note": 4, "report": 5, "readme": 5}
"""Where the columns of fidelity follow."""
HEADINGS = {
    "terminal": ["file size", "ratio", "mean val (%)", "mean test (%)", "architecture", "method", "config", "seeds"],
    "note": ["file size", "ratio", "mean val (%)", "mean test (%)", "architecture", "method", "settings", "seeds"],
    "report": [
        *("bytes", "ratio", "test (%)", "mean test (%)", "mean val (%)", "seeds"),
        *("network", "method", "settings", "file"),
    ],
    "readme": ["bytes", "ratio", "test accuracy", "test, mean", "validation, mean", "bytes, mean", "method"],
}
CELLS = {
    "terminal": ["1.23 kB", "15.6x", "97.00 ± 1.00", "95.00 ± 0.00", "mlp(hidden=[64])", "epr", "lam=0.3", "3"],
    "report": [
        *("1,234", "15.6x", "95.00", "95.00 ± 0.00", "97.00 ± 1.00", "3"),
        *("mlp(hidden=[64])", "epr", "lam=0.3", "a-2/0"),
    ],
    "readme": [
        *("1,234", "15.6x", "95.00 %", "95.00 ± 0.00 %", "97.00 ± 1.00 %"),
        *("1,111 ± 117", "mlp(hidden=[64]), epr lam=0.3"),
    ],
}
CELLS["note"] = CELLS["terminal"]


POINTS = frame(*seeds("a", [1000, 1100, 1234], [0.96, 0.98, 0.97], quality=0.95))


def row(**changes: object) -> Row:
    (found,) = summarise(POINTS).to_dict("records")
    return found | changes


def usual(place: str) -> list[Column]:
    """The columns of a sweep whose trials were given no network."""
    return shown(PLACES[place], summarise(POINTS))


@pytest.mark.parametrize("place", HEADINGS)
def test_each_place_has_its_headings(place: str) -> None:
    assert [column.title("accuracy") for column in usual(place)] == HEADINGS[place]


@pytest.mark.parametrize("place", CELLS)
def test_each_place_has_its_cells(place: str) -> None:
    assert [column.format(row()) for column in usual(place)] == CELLS[place]


@pytest.mark.parametrize("place", NEAR)
def test_columns_of_fidelity_follow_where_trials_were_given_a_network(place: str) -> None:
    near = summarise(POINTS.assign(kl=[0.01, 0.02, 0.03], agreement=[0.98, 0.97, 0.99]))
    columns, start = shown(PLACES[place], near), NEAR[place]
    titles = [column.title("accuracy") for column in columns]
    assert titles == [*HEADINGS[place][:start], "KL (nats)", "agreement (%)", *HEADINGS[place][start:]]
    (one,) = near.to_dict("records")
    assert [column.format(one) for column in columns[start : start + 2]] == ["0.0200 ± 0.0100", "98.00 ± 1.00"]
    assert columns[start].format(one | {"kl_mean": math.nan, "kl_std": math.nan}) == "-"


def test_a_distance_that_stands_for_the_quality_is_one_column_and_no_test() -> None:
    points, _ = judged_by(POINTS.assign(output_error=[0.01, 0.02, 0.03]), "output_error")
    titles = [column.title("output_error_from_given") for column in shown(ON_TERMINAL, summarise(points))]
    assert titles == ["file size", "ratio", "output error", "architecture", "method", "config", "seeds"]


def test_a_quality_without_a_unit_is_shown_without_one() -> None:
    titles = [column.title("perplexity") for column in IN_REPORT]
    assert titles[3:6] == ["test", "mean test", "mean val"]
    assert [column.title("perplexity") for column in ON_TERMINAL[3:5]] == ["mean val", "mean test"]
    plain = row(quality_name="perplexity", file_quality=31.5)
    assert IN_REPORT[3].format(plain) == "31.50"
    assert IN_README[3].format(plain) == "31.50"


def test_decibels_are_in_the_heading_or_in_every_cell() -> None:
    assert [column.title("psnr_db") for column in IN_REPORT][3:6] == ["test (dB)", "mean test (dB)", "mean val (dB)"]
    decibels = row(quality_name="psnr_db", file_quality=31.5)
    assert IN_REPORT[3].format(decibels) == "31.50"
    assert IN_README[3].format(decibels) == "31.50 dB"


def test_the_logged_table_has_numbers_and_no_text() -> None:
    assert [name for column in usual("logged") for name in column.values] == [
        *("architecture", "method", "label", "file_size_bytes", "file_compression_ratio", "quality_val_mean"),
        *("quality_val_std", "quality_mean", "quality_std", "num_seeds", "file_seed", "file_run_id"),
    ]


@pytest.mark.parametrize("place", PLACES)
def test_every_column_shows_what_a_configuration_has(place: str) -> None:
    for column in PLACES[place]:
        assert set(column.values) <= set(CONFIGURATION_COLUMNS)


def test_a_failed_seed_is_counted() -> None:
    assert ON_TERMINAL[-1].format(row(num_seeds=2, num_failed=1)) == "2/3"


def test_one_seed_has_no_deviation() -> None:
    (one,) = summarise(frame({})).to_dict("records")
    assert "±" not in " ".join(column.format(one) for column in IN_README)


def test_another_heading_leaves_the_column_as_it_is() -> None:
    column = Column(heading="a", values=("seed",), format=str)
    assert column.called("b").title("accuracy") == "b"
    assert column.title("accuracy") == "a"
