"""What the figure for a paper draws."""

from __future__ import annotations

import io

import numpy as np
import pytest

from analysis.configurations.summary import summarise
from analysis.frontier.figure import frontier_figure
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
