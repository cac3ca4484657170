"""Titles and notes are whole, in lines that fit."""

from __future__ import annotations

from matplotlib.figure import Figure

from analysis.drawing.heading import Heading, lines, names_text


def test_no_word_of_a_title_or_note_is_lost_and_no_line_leaves_the_figure() -> None:
    title = "digits: " + " against ".join(f"a_rather_long_name_of_a_sweep-{index:08x}" for index in range(4))
    heading = Heading.of(title, "bars: range over 3 seeds; " * 6, font=6.5, width_in=3.5)
    assert " ".join(heading.title) == title
    assert len(heading.note) > 1
    figure = Figure(figsize=(3.5, 3 + heading.height_in), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    heading.draw(axes)
    figure.draw_without_rendering()
    drawn = [text for text in axes.get_children() if getattr(text, "get_text", str)() in ("\n".join(heading.title),)]
    for text in (*drawn, *axes.texts):
        box = text.get_window_extent()
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    assert drawn


def test_a_word_that_is_wider_than_the_figure_is_broken_and_kept() -> None:
    word = "x" * 300
    found = lines(word, 100, size=8)
    assert "".join(found) == word
    assert len(found) > 2
    assert lines("", 100, size=8) == []


def test_one_line_needs_no_further_height() -> None:
    assert Heading.of("digits", "", font=8.0, width_in=5.5).height_in == 0
    assert Heading.of("digits " * 30, "", font=8.0, width_in=5.5).height_in > 0.1


def test_many_names_become_their_number() -> None:
    assert names_text(["a", "b", "c"], kind="sweeps") == "a, b, c"
    assert names_text(list("abcd"), kind="sweeps") == "4 sweeps"
