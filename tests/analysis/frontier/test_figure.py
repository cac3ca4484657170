"""What the figures draw; no user's text becomes code."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.configurations.summary import summarise
from analysis.drawing.axes import quality_limits, size_ticks
from analysis.drawing.style import COLOURS, OTHER_COLOUR
from analysis.frontier.figure import frontier_figure
from analysis.frontier.page import frontier_html
from analysis.frontier.plot_data import frontier_plot_data
from tests.analysis.points.rows import frame, sweep

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def plotly_figure(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The figure behind the page. The page itself is megabytes of plotly's script."""
    caught: dict[str, Any] = {}

    def to_html(figure: go.Figure, **_: Any) -> str:
        caught.update(figure.to_dict())
        return "<html><head></head></html>"

    monkeypatch.setattr(go.Figure, "to_html", to_html)
    return caught


def test_every_configuration_is_drawn_once_on_paper() -> None:
    points = sweep()
    configurations = summarise(points)
    (axes,) = frontier_figure(configurations, points, title="digits").axes
    inside = configurations[configurations["file_quality"] > 0.5]
    drawn = [tuple(point) for container in axes.containers for point in container[0].get_xydata()]
    assert sorted(drawn) == sorted(zip(inside["file_size_bytes"], 100 * inside["file_quality"], strict=True))
    (edge,) = [line for line in axes.lines if line.get_gid() == "outside"]
    assert len(edge.get_xdata()) == len(configurations) - len(inside) == 1


def test_every_configuration_is_drawn_once_on_screen(plotly_figure: dict[str, Any]) -> None:
    points = sweep()
    configurations = summarise(points)
    frontier_html(configurations, points, title="digits", ui_url="http://localhost:5000/")
    urls = [url for trace in plotly_figure["data"] for url in trace.get("customdata", ())]
    base, workflow = "http://localhost:5000/#/experiments/1/runs", "?workflowType=machine_learning"
    expected = {f"{base}/{run_id}{workflow}" for run_id in configurations["file_run_id"]}
    assert len(urls) == len(configurations)
    assert set(urls) == expected


def test_hovering_shows_every_setting_and_what_failed(plotly_figure: dict[str, Any]) -> None:
    points = frame({"config_hash": "a"}, {"config_hash": "b", "num_failed": 2})
    frontier_html(summarise(points), points, title="digits")
    texts = [text for trace in plotly_figure["data"] for text in trace.get("hovertext", ())]
    front, other = sorted(texts, key=lambda text: "failed" in text)
    assert "<br>lam=0.3 steps=2000<br>" in front
    assert "on the frontier" in front
    assert "mean of 1 seed (2 more failed)" in other
    assert "a seed failed; this is seed 0" in other


def test_the_front_is_a_step_line_through_its_files_at_test_quality() -> None:
    points = sweep()
    configurations = summarise(points)
    (axes,) = frontier_figure(configurations, points, title="digits").axes
    (line,) = [line for line in axes.lines if line.get_gid() == "front"]
    front = configurations[configurations["on_front"]].sort_values("file_size_bytes")
    assert line.get_drawstyle() == "steps-post"
    np.testing.assert_array_equal(line.get_xdata()[:-1], front["file_size_bytes"])
    np.testing.assert_allclose(line.get_ydata()[:-1], 100 * front["file_quality"])


def test_figures_are_written_without_touching_pyplot() -> None:
    import matplotlib.pyplot as plt

    points = sweep()
    figure = frontier_figure(summarise(points), points, title=r"costs $5 \frac", width_in=3.5)
    picture = io.BytesIO()
    figure.savefig(picture, format="svg")
    assert b"<svg" in picture.getvalue()
    assert not plt.get_fignums()


def test_a_page_needs_no_network_and_runs_no_text() -> None:
    fields = ("architecture", "method", "config", "task", "sweep_id", "run_id", "experiment_id")
    points = frame(dict.fromkeys(fields, HOSTILE))
    page = frontier_html(summarise(points), points, title=HOSTILE, ui_url="http://localhost:5000")
    assert HOSTILE not in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not re.search(r"<(script|link)[^>]*\s(src|href)=", page)


@settings(max_examples=20, deadline=None)
@given(st.text(st.sampled_from("<>&\"'/=a "), min_size=1, max_size=12))
def test_every_text_that_plotly_sees_is_escaped(text: str) -> None:
    points = frame({"architecture": text, "method": text, "config": text, "run_id": text})
    caught: dict[str, Any] = {}

    def to_html(figure: go.Figure, **_: Any) -> str:
        caught.update(figure.to_dict())
        return "<head>"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(go.Figure, "to_html", to_html)
        head = frontier_html(summarise(points), points, title=text)
    texts = [caught["layout"]["title"]["text"], head.partition("<title>")[2].partition("</title>")[0]]
    for trace in caught["data"]:
        texts += [trace.get("name") or "", (trace.get("legendgrouptitle") or {}).get("text", "")]
        texts += [hover for hovers in trace.get("hovertext", ()) for hover in re.split(r"<br>|</?b>", hovers)]
    assert not [shown for shown in texts if "<" in shown or ">" in shown]


def test_a_link_is_only_to_a_web_page() -> None:
    points = frame({})
    with pytest.raises(ValueError, match="http://"):
        frontier_html(summarise(points), points, title="digits", ui_url="javascript:alert(1)")


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ValueError, match="no points to draw"):
        frontier_figure(summarise(frame()), frame(), title="digits")


def test_one_point_without_quality_is_left_out_and_one_alone_is_drawn() -> None:
    points = frame({}, {"config_hash": "b", "quality": float("nan")})
    (axes,) = frontier_figure(summarise(points), points, title="digits").axes
    assert len(axes.containers) == 1


def test_architectures_beyond_the_palette_share_one_colour_and_repeat_none() -> None:
    rows = [
        {"architecture": f"net{i}", "config_hash": str(i), "num_parameters": i + 1} for i in range(len(COLOURS) + 2)
    ]
    plot = frontier_plot_data(summarise(frame(*rows)), frame(*rows))
    assert list(plot.colours.values()) == [*COLOURS, OTHER_COLOUR, OTHER_COLOUR]


@given(st.floats(1, 1e9), st.floats(1.56, 1e6))
def test_ticks_are_few_and_at_least_two(low: float, span: float) -> None:
    ticks = size_ticks(low, low * span)
    assert 2 <= len(ticks) <= 7
    assert low <= ticks[0]
    assert ticks[-1] <= low * span


def test_the_axis_follows_the_front_and_stops_at_a_collapse() -> None:
    quality = [98.0, 97.5, 96.0, 92.0, 12.0]
    (low, high), worst = quality_limits(quality, [True] * 5, maximise=True)
    assert worst == 92.0
    assert 91 < low < 92
    assert 98 < high < 99


def test_the_axis_shows_everything_where_nothing_collapsed() -> None:
    assert quality_limits([98.0, 90.0, 75.0, 30.0], [True] * 4, maximise=True)[1] == 30.0
    assert quality_limits([98.0], [True], maximise=True)[1] == 98.0


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=1, max_size=30))
def test_half_of_the_points_and_the_best_are_always_in_place(points: list[tuple[float, bool]]) -> None:
    quality, on_front = np.array([point[0] for point in points]), [point[1] for point in points]
    (low, high), worst = quality_limits(quality, on_front, maximise=True)
    assert low < worst <= quality.max() < high
    assert np.mean(quality >= worst) >= 0.5
    flipped, flipped_worst = quality_limits(-quality, on_front, maximise=False)
    assert flipped == pytest.approx((-high, -low))
    assert flipped_worst == -worst


def test_two_nearly_equal_points_are_both_in_place() -> None:
    (low, high), worst = quality_limits([99.10, 99.09], [True, True], maximise=True)
    assert worst == 99.09
    assert low < 99.09 < 99.10 < high < 99.2


def test_the_bars_of_nearly_equal_points_fit() -> None:
    points = frame(
        *({"config_hash": "a", "seed": seed, "quality": 0.9909 + 0.0003 * seed} for seed in range(3)),
        *(
            {"config_hash": "b", "seed": seed, "quality": 0.9910, "quality_val": 0.97, "size_bytes": 1200}
            for seed in range(3)
        ),
    )
    low, high = frontier_plot_data(summarise(points), points).quality_limits
    assert low < 99.09
    assert high > 99.15
    assert high - low < 0.3
