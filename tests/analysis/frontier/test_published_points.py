"""Figures draw rows of papers hollow and named, never as part of a front, never at the cost of measured points."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.configurations.summary import summarise
from analysis.drawing.published_points import widened_axes
from analysis.drawing.style import PRINTED
from analysis.frontier.figure import frontier_figure
from analysis.frontier.page import frontier_html
from analysis.frontier.plot_data import frontier_plot_data
from analysis.frontier.table import frontier_csv
from analysis.points.published import read_published
from tests.analysis.points.rows import frame, sweep
from tests.analysis.points.test_published import written

HOSTILE = "</script><img src=x onerror=alert(1)>$\\frac"
OTHER_PAPER = {"source": "Nobody 2023", "counted": "unstated", "size_bytes": "1500", "quality": "0.93"}


@pytest.fixture
def published(tmp_path: Path) -> pd.DataFrame:
    """Three rows of two papers."""
    return read_published(written(tmp_path, {}, {"size_bytes": "1200", "quality": "0.95"}, OTHER_PAPER))


def page(points: pd.DataFrame, **arguments: Any) -> dict[str, Any]:
    """The figure behind the page."""
    caught: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(go.Figure, "to_html", lambda figure, **_: caught.update(figure.to_dict()) or "<head>")
        frontier_html(summarise(points), points, title="digits", **arguments)
    return caught


def test_printed_rows_are_hollow_on_paper_and_named_as_not_measured(published: pd.DataFrame) -> None:
    points = sweep()
    figure = frontier_figure(summarise(points), points, title="digits", published=published)
    drawn = [line for line in figure.axes[0].lines if line.get_gid() == "published"]
    places = [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in drawn]
    np.testing.assert_allclose(sorted(places), [(900, 94), (1200, 95), (1500, 93)])
    assert {line.get_markerfacecolor() for line in drawn} == {"none"}
    texts = [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]
    assert "not measured" in PRINTED
    assert texts.index(PRINTED) < texts.index("Nobody 2023 (EPR)") < texts.index("Somebody 2024 (EPR, payload only)")


def test_hovering_over_a_printed_row_shows_its_source(published: pd.DataFrame) -> None:
    data = page(sweep(), published=published)["data"]
    traces = [trace for trace in data if str(trace.get("legendgroup")).startswith("printed") and trace.get("hovertext")]
    hovers = [text for trace in traces for text in trace["hovertext"]]
    assert len(hovers) == 3
    for text in hovers:
        assert "as printed, not measured here: Table 2, page 5<br>Somebody, A Paper, 2024" in text
    assert sum("900 B (900 B): entropy-coded payload only" in text for text in hovers) == 1
    assert sum("not known whether tables" in text for text in hovers) == 1
    assert all(trace["marker"]["symbol"].endswith("-open") for trace in traces)
    assert not any(trace.get("customdata") for trace in traces), "a printed row has no run to open"
    legend = [trace for trace in data if trace.get("legendgroup") and trace["x"] == [None]]
    assert [trace["legendgrouptitle"]["text"] for trace in legend].count(PRINTED) == 1


def test_printed_rows_change_no_front_and_no_table(published: pd.DataFrame) -> None:
    points = sweep()
    best = published.head(1).assign(size_bytes=50, quality=0.99)  # would dominate everything
    configurations = summarise(points)
    before = frontier_csv(configurations)
    plain, beside = frontier_plot_data(configurations, points), frontier_plot_data(configurations, points, best)
    assert frontier_csv(configurations) == before
    assert list(beside.front["x"][:-1]) == list(plain.front["x"][:-1])
    assert len(beside.rows) == len(plain.rows) == len(configurations)
    lines = frontier_figure(configurations, points, title="", published=best).axes[0].lines
    assert 50 not in next(line for line in lines if line.get_gid() == "front").get_xdata()


def test_without_rows_that_belong_the_figures_are_the_same(published: pd.DataFrame) -> None:
    points = sweep()
    elsewhere = published.assign(task="mnist")
    assert page(points, published=elsewhere) == page(points)
    pictures = [io.BytesIO(), io.BytesIO()]
    for picture, rows in zip(pictures, (None, elsewhere), strict=True):
        frontier_figure(summarise(points), points, title="digits", published=rows).savefig(picture)
    assert pictures[0].getvalue() == pictures[1].getvalue()


def test_papers_have_markers_that_no_method_has_and_colours_of_their_architectures(published: pd.DataFrame) -> None:
    points = sweep()
    other = published.head(1).assign(architecture="mlp(hidden=[300])", source="Else 2022")
    plot = frontier_plot_data(summarise(points), points, pd.concat([published, other]))
    assert len(set(plot.papers.values())) == 3
    assert not set(plot.papers.values()) & set(plot.markers.values())
    colours = plot.published.groupby("architecture")["colour"].unique().map(list).to_dict()
    assert colours == {name: [plot.colours[name]] for name in ("mlp(hidden=[64])", "mlp(hidden=[300])")}


def test_a_printed_row_far_away_is_left_out_and_counted(published: pd.DataFrame) -> None:
    points = frame({"size_bytes": 1000, "quality": 0.95}, {"config_hash": "b", "size_bytes": 1100, "quality": 0.96})
    far = published.head(2).assign(size_bytes=[2_000_000, 900], quality=[0.95, 0.2])
    plot = frontier_plot_data(summarise(points), points, far)
    assert plot.published.empty
    assert plot.papers == {}
    assert "2 printed points beyond the axes" in plot.note
    assert plot.size_limits[1] < 2000
    texts = frontier_figure(summarise(points), points, title="", published=far).legends[0].get_texts()
    assert PRINTED not in [text.get_text() for text in texts]


def test_a_measured_point_off_the_axis_is_in_place_where_printed_rows_widen_it(published: pd.DataFrame) -> None:
    qualities = (0.98, 0.95, 0.94, 0.80)
    points = frame(
        *(
            {"config_hash": str(index), "size_bytes": size, "quality": value, "quality_val": value}
            for index, (size, value) in enumerate(zip((4000, 3100, 2200, 2500), qualities, strict=True))
        )
    )
    alone = frontier_plot_data(summarise(points), points)
    beside = frontier_plot_data(summarise(points), points, published.head(1).assign(quality=0.797))
    assert alone.rows["outside"].sum() == 1
    assert not beside.rows["outside"].any()
    assert "beyond the axis" not in beside.note


@pytest.mark.parametrize("width_in", [3.5, 5.5, 7.0])
@pytest.mark.parametrize("architecture", ["mlp(hidden=[64])", "a_network_of_a_long_name(hidden=[300,100])"])
def test_the_legend_stays_within_the_figure(width_in: float, architecture: str, published: pd.DataFrame) -> None:
    points = sweep()
    points["architecture"] = points["architecture"].replace("mlp(hidden=[64])", architecture)
    points["config"] = ["density=geometric", "density=learned", "density=none"] * (len(points) // 3)
    rows = published.assign(architecture=architecture, source="Somebody of Somewhere et al. 2024")
    figure = frontier_figure(summarise(points), points, title="digits", width_in=width_in, published=rows)
    figure.draw_without_rendering()
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0
    assert box.x1 <= whole.x1
    assert box.y0 >= whole.y0


def test_no_text_of_a_file_becomes_code(tmp_path: Path) -> None:
    fields = ("method", "source", "where", "reference")
    rows = read_published(written(tmp_path, dict.fromkeys(fields, HOSTILE)))
    points = sweep()
    text = frontier_html(summarise(points), points, title="digits", published=rows)
    assert "<img src=x" not in text
    for trace in page(points, published=rows)["data"]:
        shown = [trace.get("name") or "", *re.split(r"<br>|</?b>", " ".join(trace.get("hovertext", ())))]
        assert not [one for one in shown if "<" in one.replace("<br>", "")]
    frontier_figure(summarise(points), points, title="digits", published=rows).draw_without_rendering()


PLACES = st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 100)), min_size=1, max_size=8)


@given(st.floats(10, 1e7), st.floats(1.01, 1e3), st.floats(1, 99), st.floats(0.01, 20), PLACES)
def test_measured_points_keep_a_fifth_of_each_axis(
    size: float, factor: float, low: float, span: float, places: list[tuple[float, float]]
) -> None:
    sizes, qualities = map(np.array, zip(*places, strict=True))
    shown, (small, large), (bottom, top) = widened_axes((size, size * factor), (low, low + span), sizes, qualities)
    assert math.log10(large / small) <= max(math.log10(factor), 0.5) * 5 + 1e-6
    assert top - bottom <= max(span, 0.01 * (low + span)) * 5 + 1e-6
    assert small <= size * (1 + 1e-9)
    assert size * factor <= large * (1 + 1e-9)
    assert bottom <= low < low + span <= top
    inside = (small < sizes) & (sizes < large) & (bottom < qualities) & (qualities < top)
    assert (inside | ~shown).all(), "what is shown is within the axes"


def test_the_nearest_rows_are_shown_first_whatever_their_order() -> None:
    limits = (1000.0, 2000.0), (97.0, 98.0)
    shown, sizes, qualities = widened_axes(*limits, [1e6, 8560, 1500], [98, 98.1, 80])
    assert shown.tolist() == [False, True, False]
    assert sizes == pytest.approx((1000, 8560 * 10**0.1))
    assert qualities == pytest.approx((97, 98.16))
