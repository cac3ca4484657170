"""Charts inside the page."""

from __future__ import annotations

import re

from matplotlib.figure import Figure

from analysis.report.charts import chart, new_figure, style
from tests.analysis.report.test_markup import read

HOSTILE = "--><script>alert(1)</script>$\\frac$"


def figure() -> Figure:
    drawn = new_figure(2.0)
    axes = drawn.subplots()
    axes.plot([1, 2], [3, 4])
    axes.fill_between([1, 2], [3, 4])
    style(axes, title=HOSTILE, x_label=HOSTILE, y_label=HOSTILE)
    return drawn


def test_two_charts_share_no_id_and_refer_to_their_own() -> None:
    one, other = chart(figure(), "one", "a line"), chart(figure(), "other", "a line")
    ids = [re.findall(r'\bid="([^"]+)"', text) for text in (one, other)]
    assert ids[0]
    assert not set(ids[0]) & set(ids[1])
    for text, own in zip((one, other), ids, strict=True):
        assert len(own) == len(set(own))
        assert set(re.findall(r"url\(#([^)]+)\)", text) + re.findall(r'href="#([^"]+)"', text)) <= set(own)


def test_the_same_figure_is_the_same_text() -> None:
    assert chart(figure(), "one", "a line") == chart(figure(), "one", "a line")


def test_texts_are_drawn_and_become_no_markup() -> None:
    text = chart(figure(), "one", HOSTILE)
    assert "script" not in read(text).tags
    assert "<!--" not in text
    assert read(text).attributes[1]["aria-label"] == HOSTILE
