"""Printed curves beside measured means over images, in both figures and on both pages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.comparison.compare import Comparison
from analysis.comparison.figure import comparison_figure
from analysis.comparison.page import comparison_html
from analysis.configurations.summary import summarise
from analysis.drawing.style import PRINTED
from analysis.frontier.figure import frontier_figure
from analysis.frontier.page import frontier_html
from analysis.frontier.plot_data import frontier_plot_data
from analysis.points.published import SHIPPED_IMAGES, read_published
from tests.analysis.comparison.samples import compared
from tests.analysis.images import PIXELS, images


def both(num: int = 24, **others: Any) -> Comparison:
    """Two methods on the same images."""
    return compared(epr=images(num, **others), jpeg=images(num, method="jpeg", factor=1.5, **others))


def figures(num: int, published: pd.DataFrame, **others: Any) -> list[Any]:
    """The frontier's figure and the comparison's."""
    points = images(num, **others)
    drawn = frontier_figure(summarise(points), points, title="kodak", published=published)
    return [drawn, comparison_figure(both(num, **others), title="kodak", published=published)]


def printed_lines(figure: Any) -> list[Any]:
    return [line for line in figure.axes[0].lines if line.get_gid() == "published"]


def test_curves_are_thin_lines_with_hollow_markers_at_their_bits_per_pixel() -> None:
    published = read_published(SHIPPED_IMAGES)
    for figure in figures(24, published):
        lines = printed_lines(figure)
        assert len(lines) == 8
        assert {line.get_markerfacecolor() for line in lines} == {"white"}
        assert all(line.get_linestyle() == "-" and line.get_linewidth() < 1 for line in lines)
        assert len({str(line.get_marker()) for line in lines}) == 8
        places = {(round(8 * x / PIXELS, 4), round(y, 2)) for line in lines for x, y in line.get_xydata()}
        assert {(0.2318, 30.59), (0.2458, 31.2), (0.6109, 28.41)} <= places
        small, large = figure.axes[0].get_xlim()
        low, high = figure.axes[0].get_ylim()
        assert all(small < x < large and low < y < high for line in lines for x, y in line.get_xydata())
        texts = [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]
        assert {PRINTED, "Kim et al. 2023 (C3, no file)", "Bégaint et al. 2020 (VTM)"} <= {*texts}
        assert "other images" not in " ".join(texts)


@pytest.mark.parametrize(("num", "pixels"), [(8, PIXELS), (24, PIXELS // 4)])
def test_beside_other_images_nothing_is_drawn_unless_it_is_asked_for(num: int, pixels: int) -> None:
    for figure in figures(num, read_published(SHIPPED_IMAGES), signal_count=pixels):
        assert printed_lines(figure) == []
    for figure in figures(num, read_published(SHIPPED_IMAGES, is_asked=True), signal_count=pixels):
        assert len(printed_lines(figure)) > 0
        texts = [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]
        named = [text for text in texts if " 20" in text]
        assert named
        assert all(text.endswith("other images)") for text in named)
        notes = [
            text.get_text().replace("\n", " ")
            for text in figure.axes[0].findobj(lambda part: hasattr(part, "get_text"))
        ]
        assert any("other images: the 24 Kodak images, 768x512" in note for note in notes)


def test_measured_points_keep_half_of_each_axis() -> None:
    points = images()
    alone = frontier_plot_data(summarise(points), points)
    beside = frontier_plot_data(summarise(points), points, read_published(SHIPPED_IMAGES))
    assert beside.axis.limits[1] - beside.axis.limits[0] <= 2.001 * (alone.axis.limits[1] - alone.axis.limits[0])
    spans = [np.diff(np.log(plot.size_limits)).item() for plot in (alone, beside)]
    assert spans[0] < spans[1] <= 2.001 * spans[0]
    assert "printed points beyond the axes" in beside.note
    assert list(beside.front["y"]) == list(alone.front["y"])


def test_pages_show_the_sources_of_curves_on_hover() -> None:
    points, published = images(), read_published(SHIPPED_IMAGES)
    for text in (
        frontier_html(summarise(points), points, title="kodak", published=published),
        comparison_html(both(), title="kodak", published=published),
    ):
        assert "entry COOL-CHICv2" in text
        assert "0.203 bits\\u002fpixel" in text or "0.203 bits/pixel" in text
        assert PRINTED in text
    assert PRINTED not in comparison_html(both(8), title="kodak", published=published)
