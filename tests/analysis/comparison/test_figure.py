"""What a comparison's figure draws."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from analysis.comparison.compare import Comparison, compare
from analysis.comparison.figure import comparison_figure
from tests.analysis.comparison.samples import compared, side

SEEDS = (0.9, 1.0, 1.2)


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
    note = " ".join(axes_of(found).texts[0].get_text().split())
    assert note == (
        "line: median of 3 seeds, band: best to worst; markers: files of the frontier of means; too few seeds of b"
    )


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
