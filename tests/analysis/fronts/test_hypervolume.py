"""The hypervolume obeys its laws, and agrees with areas by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.fronts.hypervolume import Reference, growth, hypervolume

CORNER = Reference(size_bytes=10_000, quality=0.0, maximise=True)
points = st.lists(st.tuples(st.floats(1, 1e5), st.floats(-0.5, 1.0)), min_size=1, max_size=12)


def of(given: list[tuple[float, float]], reference: Reference = CORNER) -> float:
    sizes, qualities = zip(*given, strict=True)
    return hypervolume(sizes, qualities, reference)


def test_areas_by_hand() -> None:
    assert of([(1000, 0.5)]) == pytest.approx(0.5)
    assert of([(100, 0.5), (1000, 0.9)]) == pytest.approx(1 * 0.5 + 1 * 0.9)
    assert hypervolume([], [], CORNER) == 0


def test_halving_counts_the_same_at_every_size() -> None:
    assert of([(500, 1.0)]) - of([(1000, 1.0)]) == pytest.approx(of([(50, 1.0)]) - of([(100, 1.0)]))


def test_a_quality_to_be_minimised() -> None:
    assert of([(1000, 2.0)], Reference(size_bytes=10_000, quality=5.0, maximise=False)) == pytest.approx(3.0)


@pytest.mark.parametrize("bad", [(math.nan, 0.5), (100.0, math.nan), (math.inf, 0.5), (0.0, 0.5), (20_000.0, 0.9)])
def test_what_was_not_measured_or_lies_beyond_the_corner_adds_nothing(bad: tuple[float, float]) -> None:
    assert of([(1000, 0.5), bad]) == pytest.approx(0.5)


@given(points, st.tuples(st.floats(1, 1e5), st.floats(-0.5, 1.0)))
def test_more_points_never_cover_less(given_points: list[tuple[float, float]], one: tuple[float, float]) -> None:
    assert of([*given_points, one]) >= of(given_points) - 1e-12


@given(points)
def test_order_and_copies_do_not_matter(given_points: list[tuple[float, float]]) -> None:
    assert of([*reversed(given_points), *given_points]) == pytest.approx(of(given_points))


@given(points, st.floats(1.0, 100.0), st.floats(0.0, 0.5))
def test_a_dominated_point_changes_nothing(given_points: list[tuple[float, float]], factor: float, loss: float) -> None:
    size, quality = given_points[0]
    assert of([*given_points, (size * factor, quality - loss)]) == pytest.approx(of(given_points))


@pytest.mark.parametrize("size_bytes", [1.0, 0.0, math.nan, math.inf])
def test_a_corner_is_finite_and_above_a_byte(size_bytes: float) -> None:
    with pytest.raises(ValueError, match="wanted more than one byte, and finite numbers"):
        Reference(size_bytes=size_bytes, quality=0.0, maximise=True)


def test_vectors_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="wanted two vectors of equal length"):
        hypervolume(np.ones(2), np.ones(3), CORNER)


@pytest.mark.parametrize("maximise", [True, False])
def test_it_agrees_with_optuna(maximise: bool) -> None:
    from optuna._hypervolume import compute_hypervolume

    for seed in range(10):
        generator = np.random.default_rng(seed)
        sizes, qualities = 10 ** generator.uniform(0, 4, 200), generator.uniform(0, 1, 200)
        reference = Reference(size_bytes=10_000, quality=0.0 if maximise else 1.0, maximise=maximise)
        costs = np.column_stack([np.log10(sizes), -qualities if maximise else qualities])
        expected = compute_hypervolume(costs, np.array(reference.corner))
        assert hypervolume(sizes, qualities, reference) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.sampled_from([0.1, 0.5, 0.9, -0.1, math.nan, math.inf])), max_size=12))
def test_growth_is_the_hypervolume_of_every_beginning(given_points: list[tuple[float, float]]) -> None:
    sizes, qualities = [size for size, _ in given_points], [quality for _, quality in given_points]
    expected = [hypervolume(sizes[:count], qualities[:count], CORNER) for count in range(1, len(given_points) + 1)]
    np.testing.assert_allclose(growth(sizes, qualities, CORNER), expected, atol=1e-12)
