"""The laws of dominance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.pareto import nondominated

# few distinct values, so that ties and duplicates are common
Points = list[tuple[int, int]]
points = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30)


def front(given_points: Points, *, maximise: bool = True) -> NDArray[np.bool_]:
    array = np.array(given_points, dtype=float).reshape(-1, 2)
    return nondominated(array[:, 0], array[:, 1], maximise=maximise)


def test_small_and_good_dominates() -> None:
    assert front([(1, 5), (2, 4), (3, 9), (1, 3)]).tolist() == [True, False, True, False]


def test_smaller_quality_is_better_where_the_task_minimises() -> None:
    assert front([(1, 5), (2, 4), (3, 9)], maximise=False).tolist() == [True, True, False]


def test_equal_points_stand_or_fall_together() -> None:
    assert front([(1, 5), (1, 5), (2, 5), (2, 5)]).tolist() == [True, True, False, False]


def test_no_points_have_an_empty_front() -> None:
    assert front([]).shape == (0,)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_what_was_not_measured_is_off_the_front_and_dominates_nothing(broken: float) -> None:
    assert nondominated([1.0, 2.0], [broken, 0.5], maximise=True).tolist() == [False, True]
    assert nondominated([broken, 2.0], [0.9, 0.5], maximise=True).tolist() == [False, True]
    assert nondominated([1.0, 2.0], [broken, 0.5], maximise=False).tolist() == [False, True]


def test_inputs_are_never_written_to() -> None:
    size, quality = np.array([2.0, 1.0]), np.array([np.nan, 0.5])
    size.flags.writeable = quality.flags.writeable = False
    assert nondominated(size, quality, maximise=True).tolist() == [False, True]


@pytest.mark.parametrize(("size", "quality"), [([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])])
def test_vectors_of_unequal_length_are_refused(size: list[float], quality: list[float]) -> None:
    with pytest.raises(ValueError, match=r"got size of shape .* wanted two vectors"):
        nondominated(size, quality, maximise=True)


@given(points, st.booleans())
def test_it_agrees_with_the_definition(given_points: Points, maximise: bool) -> None:
    sign = -1 if maximise else 1
    costs = [(size, sign * quality) for size, quality in given_points]
    expected = [not any(b[0] <= a[0] and b[1] <= a[1] and b != a for b in costs) for a in costs]
    assert front(given_points, maximise=maximise).tolist() == expected


@given(points.filter(len), st.data())
def test_adding_a_dominated_point_changes_nothing(given_points: Points, data: st.DataObject) -> None:
    size, quality = data.draw(st.sampled_from(given_points))
    before = front(given_points).tolist()
    assert front([*given_points, (size + 1, quality)]).tolist() == [*before, False]


@given(points, st.randoms(use_true_random=False))
def test_order_does_not_matter(given_points: Points, random: np.random.Generator) -> None:
    order = list(range(len(given_points)))
    random.shuffle(order)
    shuffled = front([given_points[index] for index in order])
    assert shuffled.tolist() == [front(given_points)[index] for index in order]


@given(points, st.integers(1, 1000), st.integers(1, 1000), st.integers(-50, 50))
def test_units_do_not_matter(given_points: Points, scale: int, gain: int, offset: int) -> None:
    scaled = [(scale * size, gain * quality + offset) for size, quality in given_points]
    assert front(scaled).tolist() == front(given_points).tolist()
    assert (
        front([(size, -quality) for size, quality in given_points], maximise=False).tolist()
        == front(given_points).tolist()
    )
