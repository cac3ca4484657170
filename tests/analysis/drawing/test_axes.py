"""The axes of all figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.drawing.axes import quality_limits, size_ticks


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
