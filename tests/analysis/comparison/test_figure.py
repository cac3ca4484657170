"""What a comparison's figure draws, and what its tables and its plain data hold."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from rich.console import Console

from analysis.comparison.compare import Comparison, compare
from analysis.comparison.figure import comparison_figure, comparison_plot_data
from analysis.comparison.tables import comparison_dict, comparison_tables
from tests.analysis.comparison.samples import side

SEEDS = (0.9, 1.0, 1.2)


def compared(**named: pd.DataFrame) -> Comparison:
    return compare(named, num_resamples=20)


def drawn(comparison: Comparison, name: str) -> list[Any]:
    return [artist for artist in axes_of(comparison).get_children() if artist.get_gid() == name]


def axes_of(comparison: Comparison) -> Axes:
    (axes,) = comparison_figure(comparison, title="digits").axes
    return axes


def test_lines_are_steps_of_what_the_median_seed_attains() -> None:
    found = compared(a=side("a", spread=SEEDS), b=side("b", factor=0.5, spread=SEEDS))
    for line, one in zip(drawn(found, "front"), found.sides, strict=True):
        assert line.get_drawstyle() == "steps-post"
        np.testing.assert_allclose(line.get_xdata()[:-1], one.seeds[1].size_bytes)  # the median: the seed with factor 1
        np.testing.assert_allclose(line.get_ydata()[:-1], 100 * one.seeds[1].quality)


def test_of_two_seeds_the_line_is_the_worse() -> None:
    found = compared(a=side("a", spread=(1.0, 1.2)), b=side("b"))
    np.testing.assert_allclose(drawn(found, "front")[0].get_xdata()[:-1], found.anchor.seeds[1].size_bytes)


def test_bands_go_from_the_best_seed_to_the_worst() -> None:
    found = compared(a=side("a", spread=SEEDS), b=side("b", spread=(1,)))
    (band,) = drawn(found, "band")
    corners = band.get_paths()[0].vertices
    assert corners[:, 0].min() == found.anchor.seeds[0].size_bytes[0]
    best, worst = found.anchor.seeds[0], found.anchor.seeds[2]
    between = corners[np.isin(corners[:, 0], worst.size_bytes)]
    assert len(between)
    for size, quality in between:
        low, high = 100 * worst.quality_at([size - 1e-6]), 100 * best.quality_at([size])
        assert (np.isnan(low) | (low - 1e-9 <= quality)) & (quality <= high + 1e-9)
    note = axes_of(found).texts[0].get_text()
    assert note == "line: median of 3 seeds, band: best to worst; too few seeds of b"


def test_every_file_on_a_front_is_a_marker_within_the_axes() -> None:
    found = compared(a=side("a", spread=SEEDS), b=side("b", factor=3, low=0.85))
    axes = axes_of(found)
    for markers, one in zip(drawn(found, "files"), found.sides, strict=True):
        files = one.configurations[one.configurations["on_front"]]
        assert sorted(markers.get_xdata()) == sorted(files["file_size_bytes"])
        assert axes.get_xlim()[0] < markers.get_xdata().min() < markers.get_xdata().max() < axes.get_xlim()[1]
        assert axes.get_ylim()[0] < markers.get_ydata().min() < markers.get_ydata().max() < axes.get_ylim()[1]


def test_the_axes_show_what_the_best_seed_attains() -> None:
    points = side("a", spread=(1.0, 1.0, 1.0))
    lucky = points.assign(quality=points["quality"] + 0.02 * (points["seed"] == 2))
    found = compared(a=lucky, b=side("b"))
    assert found.anchor.seeds[2].quality[-1] > max(front.quality[-1] for front in found.anchor.seeds[:2])
    assert axes_of(found).get_ylim()[1] > 100 * found.anchor.seeds[2].quality[-1]


def test_sides_differ_in_more_than_colour() -> None:
    found = compared(**{name: side(name) for name in "abcd"})
    lines, files = drawn(found, "front"), drawn(found, "files")
    assert len({line.get_color() for line in lines}) == len({one.get_marker() for one in files}) == 4
    assert len({str(line._dash_pattern) for line in lines}) == 4


def test_text_is_drawn_as_it_is_and_names_are_in_the_legend() -> None:
    found = compare({r"costs $5 \frac": side("a"), "b": side("b")}, num_resamples=5)
    figure = comparison_figure(found, title=r"$\frac", width_in=3.5)
    picture = io.BytesIO()
    figure.savefig(picture, format="svg")
    assert b"<svg" in picture.getvalue()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [r"costs $5 \frac (anchor)", "b"]


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


def test_a_dozen_sides_look_different() -> None:
    found = compare({f"m{index}": side(f"s{index}", factor=1.2**index) for index in range(12)}, num_resamples=1)
    lines = comparison_plot_data(found).lines
    assert len({(line.colour, str(line.dashes)) for line in lines}) == 12
    assert len({(line.colour, line.symbol) for line in lines}) == 12


def test_a_front_that_falls_far_does_not_flatten_the_others() -> None:
    near = {name: side(name, factor=factor, low=0.90) for name, factor in (("a", 1), ("b", 2), ("c", 3))}
    fallen = pd.concat([side("d", low=0.90), side("e", low=0.1, high=0.2, num_points=2).assign(sweep_id="d-0123abcd")])
    plot = comparison_plot_data(compare({**near, "d": fallen}, num_resamples=1))
    assert plot.quality_limits[0] > 80
    assert plot.note.endswith("; 2 files beyond the axis")
    assert comparison_plot_data(compare(near, num_resamples=1)).note.endswith("best to worst")
