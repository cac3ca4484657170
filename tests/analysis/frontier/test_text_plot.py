"""The frontier in characters."""

from __future__ import annotations

import pytest

from analysis.frontier.text_plot import frontier_text


def text(sizes: list[float], qualities: list[float], **changes: object) -> list[str]:
    settings = {"quality_name": "accuracy", "maximise": True, "width": 21, "height": 3, **changes}
    return frontier_text(sizes, qualities, **settings)


def test_places_follow_the_logarithm_of_bytes() -> None:
    assert text([100, 1000, 10_000, 10_000], [0.90, 0.95, 0.99, 0.90]) == [
        "99.00 % │                    ●",
        "        │          ●          ",
        "90.00 % │●                   ·",
        "        └─────────────────────",
        "         100 B         10.0 kB",
    ]


def test_one_point_stands_in_the_middle() -> None:
    lines = text([500], [0.5])
    assert lines[1].endswith("│          ●          ")


def test_where_less_is_better_the_front_is_the_other_one() -> None:
    lines = text([100, 1000], [3.0, 5.0], quality_name="mse", maximise=False)
    assert lines[0] == "5.00 │                    ·"
    assert lines[2] == "3.00 │●                    "


def test_nothing_is_drawn_of_nothing() -> None:
    assert text([], []) == []


@pytest.mark.parametrize("width", [1, 5, 40])
def test_lines_are_as_long_as_each_other(width: int) -> None:
    lines = text([100, 2000, 30_000], [0.1, 0.2, 0.3], width=width)
    assert len({len(line) for line in lines[:-1]}) == 1
