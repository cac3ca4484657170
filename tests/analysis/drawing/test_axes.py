"""The axes of all figures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analysis.drawing.axes import size_ticks


@given(st.floats(1, 1e9), st.floats(1.56, 1e6))
def test_ticks_are_few_and_at_least_two(low: float, span: float) -> None:
    ticks = size_ticks(low, low * span)
    assert 2 <= len(ticks) <= 7
    assert low <= ticks[0]
    assert ticks[-1] <= low * span
