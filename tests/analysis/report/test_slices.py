"""The small panels of settings name what they draw."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis.configurations.summary import summarise
from analysis.report import curves, slices
from analysis.report.markup import Html
from analysis.report.settings import varying
from tests.analysis.points.rows import frame
from tests.analysis.report.samples import material


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are made into charts."""
    found: list[Figure] = []

    def keep(figure: Figure, name: str, description: str) -> Html:
        figure.savefig(io.BytesIO(), dpi=50)
        found.append(figure)
        return Html()

    for module in (slices, curves):
        monkeypatch.setattr(module, "chart", keep)
    return found


def points_of(**varied: list[str]) -> pd.DataFrame:
    """A point for each value of one setting, or of the architecture."""
    ((name, values),) = varied.items()
    rows: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        row: dict[str, Any] = {"config_hash": str(index), "size_bytes": 100 + index, "quality_val": 0.5 + index / 100}
        row |= {"num_parameters": index + 1, "label": value, "params": json.dumps({f"method.{name}": value})}
        rows.append(row | ({"architecture": value} if name == "architecture" else {}))
    return frame(*rows)


def slices_of(points: pd.DataFrame, drawn: list[Figure]) -> Figure:
    rows = summarise(points)
    slices.slices(material(points), "settings", rows, varying(rows, points)[["architecture"]])
    return drawn[-1]


LONG = [f"mine:{'recurrent_' * 3}{place}{'_layers' * 3}(hidden=[64])" for place in "abc"]


def test_networks_that_differ_in_the_middle_of_a_long_name_are_told_apart(drawn: list[Figure]) -> None:
    points = points_of(architecture=LONG)
    figure = slices_of(points, drawn)
    (legend,) = figure.legends
    assert len({text.get_text() for text in legend.get_texts()}) == 3
    for text in legend.get_texts():
        box = text.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert box.y0 >= 0
    curves.curves(material(points))
    titles = {axes.get_title(loc="left").split("\n", 1)[1] for axes in drawn[-1].axes if axes.get_title(loc="left")}
    assert len(titles) == 3


def test_networks_beyond_the_colours_are_in_the_legend_and_below_the_axis(drawn: list[Figure]) -> None:
    names = [f"mlp(hidden=[{width},{width}])" for width in range(100, 109)]
    figure = slices_of(points_of(architecture=names), drawn)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*names[:6], "3 others"]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == names


def test_long_words_of_a_setting_are_below_its_axis(drawn: list[Figure]) -> None:
    words = [f"a_long_word_{letter}_for_it" for letter in "abcde"]
    points = points_of(density=words)
    rows = summarise(points)
    slices.slices(material(points), "settings", rows, varying(rows, points))
    labels = drawn[-1].axes[1].get_xticklabels()
    assert [label.get_text() for label in labels] == words
    assert min(label.get_window_extent().y0 for label in labels) >= 0
