"""Figures as the bytes of pictures."""

from __future__ import annotations

from matplotlib.figure import Figure

from analysis.drawing.picture import picture


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.add_subplot().plot([1, 2], [3, 4])
    return drawn


def test_a_png_has_the_pixels_that_were_asked_for() -> None:
    content = picture(figure(), "png", dpi=100)
    assert content.startswith(b"\x89PNG")
    assert [int.from_bytes(content[start : start + 4], "big") for start in (16, 20)] == [200, 100]  # in the header


def test_an_svg_has_no_date() -> None:
    content = picture(figure(), "svg")
    assert b"<svg" in content
    assert b"<dc:date>" not in content


def test_the_same_figure_is_the_same_png() -> None:
    assert picture(figure(), "png") == picture(figure(), "png")
