"""Figures and pages become files under their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from orchestrator.reports.files import write_figures


def figure() -> Figure:
    drawn = Figure(figsize=(1, 1))
    drawn.add_subplot()
    return drawn


def test_each_figure_is_a_png_and_an_svg_and_each_page_html(tmp_path: Path) -> None:
    names = write_figures(tmp_path / "new", {"a": figure(), "b": figure()}, pages={"a": "<p>ä</p>"})
    assert names == ("a.html", "a.png", "a.svg", "b.png", "b.svg")
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == list(names)
    assert (tmp_path / "new" / "a.html").read_text(encoding="utf-8") == "<p>ä</p>"
    assert (tmp_path / "new" / "b.png").read_bytes().startswith(b"\x89PNG")


def test_figures_alone_need_no_page(tmp_path: Path) -> None:
    assert write_figures(tmp_path, {"a": figure()}) == ("a.png", "a.svg")


def test_a_figure_that_cannot_be_drawn_leaves_no_file(tmp_path: Path) -> None:
    wrong = figure()
    wrong.axes[0].set_title("$\\frac$")
    with pytest.raises(ValueError, match="frac"):
        write_figures(tmp_path, {"a": figure(), "b": wrong}, pages={"a": ""})
    assert not list(tmp_path.iterdir())
