"""What seeds attain, counted by hand at every kind of place."""

from __future__ import annotations

import math

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.fronts.attainment import band, difference, surface, vorobev
from analysis.fronts.hypervolume import Reference, hypervolume
from analysis.fronts.pareto import Front
from tests.analysis.fronts.samples import attains, front, fronts, minimised, random_fronts

CORNER = Reference(size_bytes=1e5, quality=0.0, maximise=True)
some_fronts = st.lists(fronts(), min_size=1, max_size=5)


def covered(given_front: Front, reference: Reference = CORNER) -> float:
    return hypervolume(given_front.size_bytes, given_front.quality, reference)


def places(given_fronts: list[Front]) -> list[tuple[float, float]]:
    """The corners of all steps, where ties are, and places between and beyond them."""
    sizes = np.unique(np.concatenate([one.size_bytes for one in given_fronts]))
    qualities = np.unique(np.concatenate([one.quality for one in given_fronts]))
    sizes = np.concatenate([sizes, np.sqrt(sizes[1:] * sizes[:-1]), [1, 1e5]])
    qualities = np.concatenate([qualities, (qualities[1:] + qualities[:-1]) / 2, [0.001, 0.999]])
    return [(size, quality) for size in sizes[::3] for quality in qualities[::2]]


@settings(max_examples=30, deadline=None)
@given(some_fronts, st.booleans())
def test_a_surface_is_what_so_many_seeds_attain(given_fronts: list[Front], maximise: bool) -> None:
    given_fronts = given_fronts if maximise else [minimised(one) for one in given_fronts]
    for num_seeds in range(1, len(given_fronts) + 1):
        found = surface(given_fronts, num_seeds)
        for size, quality in places(given_fronts):
            count = sum(attains(one, size, quality) for one in given_fronts)
            assert attains(found, size, quality) == (count >= num_seeds)


def test_a_surface_has_the_very_numbers_that_were_measured() -> None:
    given_fronts = random_fronts(0, 5)
    sizes = set(np.concatenate([one.size_bytes for one in given_fronts]).tolist())
    assert set(surface(given_fronts, 3).size_bytes.tolist()) <= sizes


def test_a_seed_that_measured_nothing_attains_nothing() -> None:
    given_fronts = [front((100, 0.5)), front(), front((200, 0.7))]
    assert surface(given_fronts, 2).size_bytes.tolist() == [200]
    assert not len(surface(given_fronts, 3))
    assert np.isnan(band(given_fronts).worst).all()


def test_a_band_by_hand() -> None:
    found = band([front((100, 0.5), (400, 0.9)), front((200, 0.6)), front((300, 0.8))])
    assert found.size_bytes.tolist() == [100, 200, 300, 400]
    assert found.best.tolist() == [0.5, 0.6, 0.8, 0.9]
    np.testing.assert_array_equal(found.median, [np.nan, 0.5, 0.6, 0.8])
    np.testing.assert_array_equal(found.worst, [np.nan, np.nan, 0.5, 0.6])


def test_more_than_half_of_an_even_number_attain_the_median() -> None:
    found = band([front((size, 0.5)) for size in (100, 200, 300, 400)])
    assert found.size_bytes[np.isfinite(found.median)].tolist() == [300, 400]
    np.testing.assert_array_equal(band([front((100, 0.5))]).worst, [0.5])


@given(some_fronts, st.booleans())
def test_best_median_and_worst_are_in_order(given_fronts: list[Front], maximise: bool) -> None:
    found = band(given_fronts if maximise else [minimised(one) for one in given_fronts])
    sign = 1 if maximise else -1
    worst, median, best = (np.nan_to_num(sign * one, nan=-9) for one in (found.worst, found.median, found.best))
    assert (worst <= median).all()
    assert (median <= best).all()
    for line in (worst, median, best):
        assert (np.diff(line) >= 0).all()


@settings(max_examples=30, deadline=None)
@given(some_fronts, some_fronts, st.booleans())
def test_a_difference_is_the_shares_that_attain(first: list[Front], second: list[Front], maximise: bool) -> None:
    reference = CORNER if maximise else Reference(size_bytes=1e5, quality=1.0, maximise=False)
    if not maximise:
        first, second = [minimised(one) for one in first], [minimised(one) for one in second]
    found = difference(first, second, reference)
    generator = np.random.default_rng(0)
    for size, quality in zip(10 ** generator.uniform(1.5, 5, 100), generator.uniform(0, 1, 100), strict=True):
        expected = np.mean([attains(one, size, quality) for one in second])
        expected -= np.mean([attains(one, size, quality) for one in first])
        inside = (found.size_bytes[:, 0] < size) & (size < found.size_bytes[:, 1])
        inside &= (found.quality[:, 0] < quality) & (quality < found.quality[:, 1])
        assert found.share[inside].sum() == pytest.approx(expected)
        assert inside.sum() <= 1
    means = [np.mean([covered(one, reference) for one in some]) for some in (first, second)]
    assert found.gained - found.lost == pytest.approx(means[1] - means[0], abs=1e-9)
    assert found.gained >= 0
    assert found.lost >= 0


def test_exchanging_the_two_exchanges_gain_and_loss() -> None:
    first, second = random_fronts(1, 3), random_fronts(2, 5)
    there, back = difference(first, second, CORNER), difference(second, first, CORNER)
    assert (there.gained, there.lost) == (pytest.approx(back.lost), pytest.approx(back.gained))
    assert there.gained > 0


def test_equal_sweeps_differ_nowhere() -> None:
    found = difference([front((100, 0.5))], [front((100, 0.5))] * 2, CORNER)
    assert (found.gained, found.lost, found.share.tolist()) == (0, 0, [])


def test_a_difference_by_hand() -> None:
    found = difference([front((1000, 0.5))], [front((100, 0.5)), front((1000, 0.5))], CORNER)
    assert found.size_bytes == pytest.approx(np.array([[100, 1000]]))
    assert found.quality == pytest.approx(np.array([[0, 0.5]]))
    assert found.share.tolist() == [0.5]
    assert (found.gained, found.lost) == (pytest.approx(0.25), 0)


def test_the_expectation_by_hand() -> None:
    steady = [front((1000, 0.5))] * 3
    assert vorobev(steady, CORNER).deviation == 0
    assert vorobev(steady, CORNER).share == 1
    found = vorobev([front((100, 0.5)), front((1000, 0.5)), front((10_000, 0.5))], CORNER)  # areas 1.5, 1, 0.5
    assert found.expectation.size_bytes.tolist() == [1000]
    assert found.share == pytest.approx(2 / 3)
    assert found.deviation == pytest.approx((0.5 + 0 + 0.5) / 3)


@settings(max_examples=50)
@given(some_fronts)
def test_the_expectation_is_the_smallest_surface_that_covers_the_mean(given_fronts: list[Front]) -> None:
    found = vorobev(given_fronts, CORNER)
    mean = np.mean([covered(one) for one in given_fronts])
    count = round(found.share * len(given_fronts))
    assert covered(found.expectation) >= mean * (1 - 1e-9)
    assert count == len(given_fronts) or covered(surface(given_fronts, count + 1)) < mean


def test_with_many_seeds_it_is_that_of_moocore() -> None:
    given_fronts = random_fronts(4, 201)
    found = vorobev(given_fronts, CORNER)
    points = np.concatenate([one.costs for one in given_fronts])
    sets = np.repeat(np.arange(len(given_fronts)), [len(one) for one in given_fronts])
    expected = moocore.vorob_t(points, sets, ref=CORNER.corner)
    assert 100 * found.share == pytest.approx(expected["threshold"], abs=1)
    assert covered(found.expectation) == pytest.approx(expected["avg_hyp"], rel=1e-2)
    # at the same expectation, the same deviation
    deviation = moocore.vorob_dev(points, sets, ref=CORNER.corner, ve=found.expectation.costs)
    assert found.deviation == pytest.approx(deviation, rel=1e-9)


def test_what_cannot_be_counted_is_refused() -> None:
    one = front((100, 0.5))
    for call, message in [
        (lambda: band([]), "got no seed: wanted at least one front"),
        (lambda: difference([], [one], CORNER), "got no seed"),
        (lambda: difference([one], [one, front()], CORNER), "a seed has no measured point"),
        (lambda: vorobev([front()], CORNER), "no seed has a measured point"),
        (lambda: vorobev([], CORNER), "no seed has a measured point"),
    ]:
        with pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)


def test_a_seed_without_points_lowers_the_mean() -> None:
    found = vorobev([front((1000, 0.5)), front()], CORNER)
    assert found.share == 0.5
    assert found.deviation == pytest.approx(0.5)  # one seed covers it, one nothing of an area of 1
    assert not math.isnan(found.deviation)
