"""What the figure for a paper draws."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from analysis.configurations.summary import summarise
from analysis.drawing.style import OTHER_MARKER
from analysis.frontier.figure import frontier_figure
from analysis.frontier.plot_data import frontier_plot_data
from tests.analysis.points.rows import frame, sweep


def test_every_configuration_is_drawn_once_on_paper() -> None:
    points = sweep()
    configurations = summarise(points)
    (axes,) = frontier_figure(configurations, points, title="digits").axes
    inside = configurations[configurations["file_quality"] > 0.5]
    drawn = [tuple(point) for container in axes.containers for point in container[0].get_xydata()]
    assert sorted(drawn) == sorted(zip(inside["file_size_bytes"], 100 * inside["file_quality"], strict=True))
    (edge,) = [line for line in axes.lines if line.get_gid() == "outside"]
    assert len(edge.get_xdata()) == len(configurations) - len(inside) == 1


def test_the_front_is_a_step_line_through_its_files_at_test_quality() -> None:
    points = sweep()
    configurations = summarise(points)
    (axes,) = frontier_figure(configurations, points, title="digits").axes
    (line,) = [line for line in axes.lines if line.get_gid() == "front"]
    front = configurations[configurations["on_front"]].sort_values("file_size_bytes")
    assert line.get_drawstyle() == "steps-post"
    np.testing.assert_array_equal(line.get_xdata()[:-1], front["file_size_bytes"])
    np.testing.assert_allclose(line.get_ydata()[:-1], 100 * front["file_quality"])


def collapsed() -> pd.DataFrame:
    """Two methods: a front that falls on test and reaches down to a collapse, and off it one more collapse."""
    rows = [
        *(("epr", 100, 0.14, 0.15), ("epr", 250, 0.90, 0.90), ("epr", 400, 0.95, 0.95), ("epr", 900, 0.94, 0.96)),
        *(("ptq", 1500, 0.05, 0.06), ("ptq", 2400, 0.96, 0.97)),
    ]
    return frame(
        *(
            {"config_hash": str(i), "method": method, "size_bytes": size, "quality": test, "quality_val": val}
            for i, (method, size, test, val) in enumerate(rows)
        )
    )


def drawn(axes: Axes, gid: str) -> list[Any]:
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def test_every_point_of_the_front_is_on_the_axis() -> None:
    points = collapsed()
    configurations = summarise(points)
    (axes,) = frontier_figure(configurations, points, title="digits").axes
    front = 100 * configurations.loc[configurations["on_front"], "file_quality"]
    assert len(front) == 5
    assert axes.get_ylim()[0] < front.min() < front.max() < axes.get_ylim()[1]


@pytest.mark.parametrize("maximise", [True, False])
def test_what_lies_beyond_the_axis_has_an_arrow_its_owners_marker_and_its_value(maximise: bool) -> None:
    points = collapsed().query("config_hash != '0'")
    if not maximise:
        losses = {"quality": 1 - points["quality"], "quality_val": 1 - points["quality_val"]}
        points = points.assign(**losses, maximise=False, quality_name="error")
    figure = frontier_figure(summarise(points), points, title="digits")
    (axes,) = figure.axes
    (mark,), (owner,), (value,), (strip,) = (drawn(axes, gid) for gid in ("outside", "owner", "value", "strip"))
    shapes = {container[0].get_marker() for container in axes.containers}
    assert owner.get_marker() in shapes, "it is that of its method"
    assert not isinstance(mark.get_marker(), str), "it is the mark of no method"
    assert value.get_text() == ("5.00 %" if maximise else "0.950")
    low, high = sorted(strip.get_extents().transformed(axes.transData.inverted()).get_points()[:, 1])
    assert low < mark.get_ydata()[0] < high
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "beyond the axis" in entries
    said = " ".join(" ".join(text.get_text().split()) for text in axes.texts)
    assert f"{'↓' if maximise else '↑'} beyond the axis, with their values: 1 ptq" in said


def test_where_a_smaller_file_is_better_on_test_the_line_is_dotted_and_the_caption_says_so() -> None:
    points = collapsed()
    figure = frontier_figure(summarise(points), points, title="digits")
    (axes,) = figure.axes
    (whole,), (risen,) = drawn(axes, "front"), drawn(axes, "risen")
    assert whole.is_dashed()
    assert not risen.is_dashed()
    heights = risen.get_ydata()
    assert 94.0 not in heights
    assert (np.diff(heights[np.isfinite(heights)]) >= 0).all()
    said = " ".join(" ".join(text.get_text().split()) for text in axes.texts)
    assert "chosen on validation, drawn on test, where 1 of its 5 files is worse than a smaller one (dotted)" in said
    assert "frontier, worse on test\nthan a smaller file" in [text.get_text() for text in figure.legends[0].get_texts()]
    rising = points.query("config_hash != '3'")
    (axes,) = frontier_figure(summarise(rising), rising, title="digits").axes
    assert not drawn(axes, "front")[0].is_dashed()
    assert drawn(axes, "risen") == []


def test_a_legend_names_only_what_is_drawn() -> None:
    points = frame({}, {"config_hash": "b", "size_bytes": 2000, "quality": 0.99, "quality_val": 0.99})
    figure = frontier_figure(summarise(points), points, title="digits")
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "frontier" in entries
    assert "dominated" not in entries
    failed = points.assign(num_failed=1)
    figure = frontier_figure(summarise(failed), failed, title="digits")
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "frontier" not in entries
    assert "dominated" in entries


def test_titles_and_names_in_the_legend_are_whole() -> None:
    method = {"method": "lcs", "config": "compression=unstructured levels=[0.005, 0.01, 0.025] steps=1"}
    other = {"method": "lcs", "config": "compression=structured levels=default steps=1", "config_hash": "b"}
    points = frame(method, other)
    title = "digits: " + ", ".join(f"a_sweep_with_a_long_name-{index:08x}" for index in range(3))
    figure = frontier_figure(summarise(points), points, title=title)
    (axes,) = figure.axes
    assert " ".join(axes.get_title(loc="left").split()) == title
    entries = [" ".join(text.get_text().split()) for text in figure.legends[0].get_texts()]
    assert "lcs compression=unstructured levels=[0.005, 0.01, 0.025]" in entries
    assert "…" not in "".join(entries)


@pytest.mark.parametrize(
    ("name", "maximise", "label"),
    [
        ("accuracy", True, "Test accuracy (%)"),
        ("psnr_db", True, "Test PSNR (dB)"),
        ("PSNR (dB)", True, "Test PSNR (dB)"),
        ("bits_per_character", False, "Test bits per character, lower is better"),
    ],
)
def test_the_axis_says_the_unit_and_where_lower_is_better(name: str, maximise: bool, label: str) -> None:
    points = frame({"quality_name": name, "maximise": maximise})
    (axes,) = frontier_figure(summarise(points), points, title="digits").axes
    assert axes.get_ylabel() == label


def test_figures_are_written_without_touching_pyplot() -> None:
    import matplotlib.pyplot as plt

    points = sweep()
    figure = frontier_figure(summarise(points), points, title=r"costs $5 \frac", width_in=3.5)
    picture = io.BytesIO()
    figure.savefig(picture, format="svg")
    assert b"<svg" in picture.getvalue()
    assert not plt.get_fignums()


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ValueError, match="no points to draw"):
        frontier_figure(summarise(frame()), frame(), title="digits")


def test_one_point_without_quality_is_left_out_and_one_alone_is_drawn() -> None:
    points = frame({}, {"config_hash": "b", "quality": float("nan")})
    (axes,) = frontier_figure(summarise(points), points, title="digits").axes
    assert len(axes.containers) == 1


def of_methods(names: Sequence[str], **others: Any) -> pd.DataFrame:
    """A front to which every method but the last gives a file."""
    return frame(
        *(
            {
                "config_hash": name,
                "method": name,
                "size_bytes": 100 * (index + 1),
                "quality_val": 0.5 + index / 100 if index < len(names) - 1 else 0.4,
                **others,
            }
            for index, name in enumerate(names)
        )
    )


@pytest.mark.parametrize("width_in", [3.5, 5.5])
def test_long_names_of_everything_stay_on_the_paper(width_in: float) -> None:
    points = of_methods(["a_method_" + "of_sixty_characters_" * 2, "ptq"], quality_name="quality_" * 8)
    points["architecture"] = [f"mine:{'recurrent_' * 5}(width=64, depth=3)", "mlp(hidden=[300,100])"]
    figure = frontier_figure(summarise(points), points, title="digits", width_in=width_in)
    figure.savefig(io.BytesIO())
    (axes,), (legend,) = figure.axes, figure.legends
    for artist in (axes.yaxis.label, *legend.get_texts()):
        box = artist.get_window_extent()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


@pytest.mark.parametrize(("num", "num_alike"), [(12, 0), (15, 3)])
def test_methods_share_a_marker_only_where_there_are_too_few_and_that_is_said(num: int, num_alike: int) -> None:
    points = of_methods([f"method{index:02}" for index in range(num)][::-1])  # the last is the first by its name
    plot = frontier_plot_data(summarise(points), points)
    shared = [name for name, symbol in plot.markers.items() if symbol == OTHER_MARKER]
    assert len(shared) == num_alike
    assert len(set(plot.markers.values())) == num - max(num_alike - 1, 0)
    assert ("methods share a marker" in plot.note) is bool(num_alike)
    assert ("method00" in shared) is bool(num_alike)  # it is off the front
