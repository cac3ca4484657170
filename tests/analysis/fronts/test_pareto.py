"""The laws of dominance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.fronts.pareto import Front, nondominated

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


@given(points, st.booleans())
def test_what_is_off_the_front_is_beaten_by_something_on_it(given_points: Points, maximise: bool) -> None:
    sign = 1 if maximise else -1
    mask = front(given_points, maximise=maximise)
    kept = [point for point, is_on in zip(given_points, mask, strict=True) if is_on]
    for size, quality in (point for point, is_on in zip(given_points, mask, strict=True) if not is_on):
        assert any(s <= size and sign * q >= sign * quality and (s, q) != (size, quality) for s, q in kept)


@given(points, points)
def test_a_joint_front_is_the_front_of_the_fronts(some: Points, others: Points) -> None:
    def kept(given_points: Points) -> Points:
        return [point for point, is_on in zip(given_points, front(given_points), strict=True) if is_on]

    assert kept([*kept(some), *kept(others)]) == kept([*some, *others])


@given(points, st.sampled_from([np.nan, np.inf, -np.inf]), st.booleans(), st.booleans())
def test_what_was_not_measured_changes_nothing(given_points: Points, bad: float, at_size: bool, maximise: bool) -> None:
    array = np.array([*given_points, (bad, 9) if at_size else (-1, bad)], dtype=float)
    before = front(given_points, maximise=maximise).tolist()
    assert nondominated(array[:, 0], array[:, 1], maximise=maximise).tolist() == [*before, False]


@pytest.mark.parametrize("num_points", [1, 10, 1000])
def test_it_agrees_with_pymoo(num_points: int) -> None:
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    for seed in range(5):
        costs = np.random.default_rng(seed).integers(0, 40, (num_points, 2)).astype(float)
        (first, *_) = NonDominatedSorting().do(costs)
        assert np.flatnonzero(nondominated(costs[:, 0], -costs[:, 1], maximise=True)).tolist() == sorted(first)


class TestFront:
    def test_it_goes_up_from_small_to_large_and_copies_count_once(self) -> None:
        made = Front.of([300, 100, 200, 100, 150], [0.9, 0.5, 0.8, 0.5, 0.4], maximise=True)
        assert made.size_bytes.tolist() == [100, 200, 300]
        assert made.quality.tolist() == [0.5, 0.8, 0.9]
        assert len(made) == 3

    @pytest.mark.parametrize("bad", [(0.0, 0.9), (-5.0, 0.9), (np.nan, 0.9), (50.0, np.nan), (50.0, np.inf)])
    def test_what_was_not_measured_is_left_out(self, bad: tuple[float, float]) -> None:
        assert Front.of([100, bad[0]], [0.5, bad[1]], maximise=True).size_bytes.tolist() == [100]
        assert not len(Front.of([bad[0]], [bad[1]], maximise=True))

    def test_steps_are_attained_and_not_interpolated(self) -> None:
        made = Front.of([100, 200], [0.5, 0.8], maximise=True)
        np.testing.assert_array_equal(made.quality_at([99, 100, 199, 200, 1e9]), [np.nan, 0.5, 0.5, 0.8, 0.8])
        np.testing.assert_array_equal(made.size_at([0.1, 0.5, 0.51, 0.8, 0.81]), [100, 100, 200, 200, np.nan])

    def test_steps_go_down_where_the_task_minimises(self) -> None:
        made = Front.of([100, 200, 300], [0.5, 0.2, 0.3], maximise=False)
        assert made.quality.tolist() == [0.5, 0.2]
        np.testing.assert_array_equal(made.quality_at([99, 150, 400]), [np.nan, 0.5, 0.2])
        np.testing.assert_array_equal(made.size_at([0.6, 0.3, 0.1]), [100, 200, np.nan])

    @pytest.mark.parametrize("sign", [1, -1])
    def test_validation_chooses_and_neighbours_that_test_puts_in_the_wrong_order_are_pooled(self, sign: int) -> None:
        sizes, test = [100, 200, 300, 800, 3000], sign * np.array([0.5, 0.9, 0.99, 0.8, 0.95])
        validation = sign * np.array([0.5, 0.6, 0.55, 0.7, 0.8])  # 300 is not chosen
        front = Front.chosen(sizes, validation, test, maximise=sign > 0)
        np.testing.assert_allclose(front.size_bytes, [100, 400, 3000])
        np.testing.assert_allclose(front.quality, sign * np.array([0.5, 0.85, 0.95]))
        assert front.size_bytes[0] == 100  # not 10 to the power of its logarithm

    def test_copies_of_a_chosen_point_count_by_their_mean(self) -> None:
        front = Front.chosen([100, 100, 200], [0.5, 0.5, 0.7], [0.4, 0.6, 0.45], maximise=True)
        np.testing.assert_allclose(front.size_bytes, [100 * 2 ** (1 / 3)])
        np.testing.assert_allclose(front.quality, [(0.4 + 0.6 + 0.45) / 3])

    @pytest.mark.parametrize("maximise", [True, False])
    def test_means_that_only_rounding_tells_apart_are_one_step(self, maximise: bool) -> None:
        sign = 1 if maximise else -1
        test = sign * np.array([0.5, 0.9683333333333333, 0.9683333333333334, 0.98])
        front = Front.chosen([100, 200, 800, 1000], sign * np.arange(4.0), test, maximise=maximise)
        np.testing.assert_allclose(front.size_bytes, [100, 400, 1000])

    def test_what_is_chosen_and_not_measured_is_left_out(self) -> None:
        front = Front.chosen([100, 200, 0], [0.5, 0.7, 0.9], [0.4, np.nan, 0.9], maximise=True)
        assert (front.size_bytes.tolist(), front.quality.tolist()) == ([100], [0.4])
        assert not len(Front.chosen([], [], [], maximise=True))

    @given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 50), st.integers(0, 50)), min_size=1), st.booleans())
    def test_a_chosen_front_goes_up_and_keeps_the_mean(self, rows: list[tuple[int, int, int]], maximise: bool) -> None:
        sizes, validation, test = np.array(rows, dtype=float).T
        sign = 1 if maximise else -1
        front = Front.chosen(sizes, sign * validation, sign * test, maximise=maximise)
        assert (np.diff(front.size_bytes) > 0).all()
        assert (np.diff(front.gain) > 0).all()
        chosen = nondominated(sizes, sign * validation, maximise=maximise)
        assert test[chosen].min() - 1e-9 <= front.gain.min() <= test[chosen].mean() + 1e-9
        assert test[chosen].mean() - 1e-9 <= front.gain.max() <= test[chosen].max() + 1e-9

    def test_noise_of_the_test_split_does_not_flatter_whoever_measured_more(self) -> None:
        """Both sets lie on one line; one has ten times the points."""
        generator, excess = np.random.default_rng(0), []
        for _ in range(100):
            heights = []
            for num_points in (10, 100):
                decades = np.sort(generator.uniform(0, 2, num_points))
                test = decades + generator.normal(0, 0.1, num_points)
                front = Front.chosen(10**decades, decades, test, maximise=True)
                heights.append(np.interp(np.linspace(0.5, 1.5, 20), np.log10(front.size_bytes), front.quality).mean())
            excess.append(heights[1] - heights[0])
        assert abs(np.mean(excess)) < 3 * np.std(excess) / 10

    @given(points.filter(len), st.booleans())
    def test_every_point_is_attained_and_every_step_is_a_point(self, given_points: Points, maximise: bool) -> None:
        sizes, qualities = np.array(given_points, dtype=float).T
        made = Front.of(sizes + 1, qualities, maximise=maximise)
        sign = 1 if maximise else -1
        assert (sign * made.quality_at(sizes + 1) >= sign * qualities).all()
        assert (made.size_at(qualities) <= sizes + 1).all()
        steps = set(zip(made.size_bytes.tolist(), made.quality.tolist(), strict=True))
        assert steps <= {(size + 1, quality) for size, quality in given_points}

    @given(points.filter(len), st.data())
    def test_a_dominated_point_is_no_step(self, given_points: Points, data: st.DataObject) -> None:
        size, quality = data.draw(st.sampled_from(given_points))
        more = [*given_points, (size + 1, quality)]
        before, after = (
            Front.of([1 + size for size, _ in some], [quality for _, quality in some], maximise=True)
            for some in (given_points, more)
        )
        np.testing.assert_array_equal(before.costs, after.costs)
