"""Indicators against their definitions, and against another implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.fronts.indicators import indicators, pooled
from analysis.fronts.pareto import Front
from analysis.fronts.scale import Scale, scale_for
from tests.analysis.fronts.samples import front, fronts, minimised, random_fronts, scaled

ACCURACY = scale_for("accuracy", [])
ERROR = Scale(smallest_bytes=1, largest_bytes=1e9, worst_quality=1.0, best_quality=0.0)


def test_indicators_by_hand() -> None:
    lacking = indicators(front((1000, 0.8)), front((100, 0.8), (1000, 0.9)), ACCURACY)
    assert lacking.epsilon == pytest.approx(1 / 9)  # a decade of nine; the other lacks 0.1
    assert lacking.epsilon_factor == pytest.approx(10)
    assert lacking.igd_plus == pytest.approx((1 / 9 + 0.1) / 2)
    losses = indicators(front((100, 4.0), maximise=False), front((100, 2.0), maximise=False), ERROR)
    assert losses.epsilon_factor == pytest.approx(2)


@given(fronts(), fronts(), st.booleans())
def test_they_agree_with_their_definitions(first: Front, second: Front, maximise: bool) -> None:
    scale = ACCURACY if maximise else ERROR
    first, second = (first, second) if maximise else (minimised(first), minimised(second))
    found = indicators(first, second, scale)
    excess = scale.costs(first)[None] - scale.costs(second)[:, None]  # (other, point, objective)
    assert found.epsilon == pytest.approx(excess.max(axis=2).min(axis=1).max(), abs=1e-12)
    distances = np.linalg.norm(np.maximum(excess, 0), axis=2)
    assert found.igd_plus == pytest.approx(distances.min(axis=1).mean(), abs=1e-12)
    # errors of the best points are too near to zero for a ratio to be of use
    if maximise:
        sizes = first.size_bytes[None] / second.size_bytes[:, None]
        ratios = second.quality[:, None] / first.quality[None]
        assert found.epsilon_factor == pytest.approx(np.maximum(sizes, ratios).min(axis=1).max())


def test_igd_plus_agrees_with_pymoo() -> None:
    from pymoo.indicators.igd_plus import IGDPlus

    for seed in range(10):
        first, second = random_fronts(seed, 2)
        expected = IGDPlus(ACCURACY.costs(second), norm_ref_point=False)(ACCURACY.costs(first))
        assert indicators(first, second, ACCURACY).igd_plus == pytest.approx(float(expected), abs=1e-12)


@given(fronts())
def test_a_front_lacks_nothing_of_itself(given_front: Front) -> None:
    found = indicators(given_front, given_front, ACCURACY)
    assert (found.epsilon, found.epsilon_factor, found.igd_plus) == (0, 1, 0)


@given(fronts(), st.floats(1.0, 50.0))
def test_files_of_k_times_the_bytes_lack_a_factor_of_at_most_k(given_front: Front, factor: float) -> None:
    found = indicators(scaled(given_front, factor), given_front, ACCURACY)
    assert 1 <= found.epsilon_factor <= factor * (1 + 1e-12)
    assert 0 <= found.epsilon <= math.log10(factor) / 9 + 1e-12


@settings(max_examples=30)
@given(fronts(), fronts())
def test_the_pooled_front_lacks_nothing_of_any(first: Front, second: Front) -> None:
    together = pooled(first, second)
    for one in (first, second):
        found = indicators(together, one, ACCURACY)
        assert found.epsilon <= 1e-12
        assert found.igd_plus == 0
    np.testing.assert_array_equal(pooled(second, first, second).costs, together.costs)


def test_a_factor_needs_positive_qualities() -> None:
    negative = front((100, -0.5))
    assert math.isnan(indicators(negative, front((100, 0.5)), ACCURACY).epsilon_factor)
    assert indicators(negative, front((100, 0.5)), ACCURACY).epsilon == pytest.approx(1.0)


def test_an_empty_front_is_refused() -> None:
    for pair in ((front(), front((1, 0.5))), (front((1, 0.5)), front())):
        with pytest.raises(ValueError, match="got a front without a measured point: wanted two with at least one"):
            indicators(*pair, ACCURACY)
