"""A comparison as tables for the terminal and as plain data."""

from __future__ import annotations

import io
import json

from rich.console import Console

from analysis.comparison.compare import Comparison, compare
from analysis.comparison.tables import comparison_dict, comparison_tables
from tests.analysis.comparison.samples import compared, side


def printed(comparison: Comparison, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    for table in comparison_tables(comparison):
        console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_tables_fit_100_columns_and_hold_the_numbers() -> None:
    text = printed(compared(a=side("a"), b=side("b", factor=0.77)))
    assert max(map(len, text.splitlines())) <= 100
    assert "-23.0 %" in text
    assert "-23.0 to -23.0" in text
    assert "+2.27" in text  # 100 * -log10(0.77) / 5
    assert "1 B to 1 GB" in " ".join(text.split())
    assert "bootstrap over seeds, itself of seed 0" in " ".join(text.split())
    assert "0.77" in text


def test_every_table_with_sizes_of_points_says_that_they_need_be_no_files() -> None:
    """Neighbours that test puts in the wrong order are one point, at a size that no file has."""
    found = compared(a=side("a", num_points=20), b=side("b", num_points=20, factor=0.5))
    for table in (comparison_tables(found)[0], comparison_tables(found)[2]):
        assert "no file need have its size" in str(table.caption)
    assert "never between two points" in str(comparison_tables(found)[2].caption)


def test_the_tables_say_the_unit_and_where_lower_is_better() -> None:
    sides = {name: side(name, quality_name="bits_per_character", maximise=False) for name in "ab"}
    assert "test bits per character, lower is better" in " ".join(printed(compared(**sides)).split())
    sides = {name: side(name, quality_name="psnr_db") for name in "ab"}
    text = " ".join(printed(compared(**sides)).split())
    assert "bytes, in dB;" in text
    assert "0.96 dB" in text


def test_a_name_is_no_markup() -> None:
    assert "mlp(hidden=[16])" in printed(compare({"mlp(hidden=[16])": side("a"), "[b]": side("b")}, num_resamples=5))


def test_plain_data_is_json_with_its_seed_reference_and_sentence() -> None:
    found = compared(a=side("a", spread=(1,)), b=side("b", factor=0.5), c=side("c", low=0.97, high=0.99))
    data = json.loads(json.dumps(comparison_dict(found), allow_nan=False))
    assert data["bootstrap_seed"] == 0
    assert data["reference"] == {"size_bytes": 1e9, "quality": 0.0}
    assert data["anchor"] == data["fronts"][0]["name"] == "a"
    assert data["fronts"][0]["vorobev_deviation"] is None
    assert data["fronts"][1]["sweep_ids"] == ["b-0123abcd"]
    first, second = data["against_anchor"]
    assert abs(first["bd_rate_percent"]["pchip"] + 50) < 1e-6
    assert first["bd_rate_percent"]["interval"] is None
    assert first["verdict"].startswith("The BD-rate of b against a is -50.0 %")
    assert second["bd_rate_percent"] is None
    assert "share no range" in second["reason"]
    assert data["size_bytes_at"] == []


def test_plain_data_has_the_bytes_at_equal_quality_by_name() -> None:
    data = comparison_dict(compared(a=side("a", num_points=50), b=side("b", num_points=50, factor=0.5)))
    assert [round(row["b"] / row["a"], 9) for row in data["size_bytes_at"]] == [0.5] * 5
    assert data["against_anchor"][0]["bd_rate_percent"]["interval"]["level"] == 0.95
