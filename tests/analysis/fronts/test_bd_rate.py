"""Bjøntegaard deltas on closed forms, their laws, and the bootstrap over seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.fronts.bd_rate import Draws, bd_quality, bd_rate, bootstrap, draw, pchip_quality, pchip_rate
from analysis.fronts.pareto import Front
from analysis.fronts.repeats import Repeats
from tests.analysis.fronts.samples import front, fronts, minimised, random_fronts, scaled
from tests.analysis.points.rows import frame, seeds


def line(start: float, slope: float, low: float = 0.5, high: float = 0.9, num_points: int = 6) -> Front:
    """A front on a line: ``10 ** (start + slope * quality)`` bytes."""
    quality = np.linspace(low, high, num_points)
    return Front(10 ** (start + slope * quality), quality, True)


def test_lines_have_a_closed_form() -> None:
    found = bd_rate(line(2, 1), line(1.8, 1.5))  # decades differ by -0.2 + 0.5 quality, so by 0.15 at the middle
    assert found.pchip == pytest.approx(100 * (10**0.15 - 1))
    assert found.akima == pytest.approx(100 * (10**0.15 - 1))
    assert found.overlap == pytest.approx(1)


def test_the_quality_between_lines_has_a_closed_form() -> None:
    found = bd_quality(line(2, 1), line(2.1, 1))  # 0.1 decades to the right, at a quality of 1 per decade
    assert found.pchip == pytest.approx(-0.1)
    assert found.akima == pytest.approx(-0.1)
    assert found.overlap == pytest.approx(0.3 / 0.5)


def test_only_the_shared_range_counts_and_its_share_is_told() -> None:
    short = line(1.8, 1.5, low=0.7, high=0.8)
    found = bd_rate(line(2, 1), short)
    assert found.pchip == pytest.approx(100 * (10**0.175 - 1))  # -0.2 + 0.5 * 0.75
    assert found.overlap == pytest.approx(0.1 / 0.4)
    assert bd_rate(line(2, 1, 0.5, 0.7), line(2, 1, 0.6, 0.9)).overlap == pytest.approx(0.1 / 0.4)


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_sums_over_a_fine_grid(seed: int) -> None:
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

    first, second = random_fronts(seed, 2, num_points=40)
    low, high = max(first.quality[0], second.quality[0]), min(first.quality[-1], second.quality[-1])
    edges = np.linspace(low, high, 100_001)
    grid = (edges[1:] + edges[:-1]) / 2
    for name, curve in (("pchip", PchipInterpolator), ("akima", Akima1DInterpolator)):
        decades = [curve(one.quality, np.log10(one.size_bytes))(grid) for one in (first, second)]
        expected = 100 * (10 ** np.mean(decades[1] - decades[0]) - 1)
        assert getattr(bd_rate(first, second), name) == pytest.approx(expected, abs=1e-4)


@given(fronts(4), st.floats(0.01, 100))
def test_k_times_the_bytes_are_k_minus_1_times_100_percent(given_front: Front, factor: float) -> None:
    found = bd_rate(given_front, scaled(given_front, factor))
    assert found.pchip == pytest.approx(100 * (factor - 1), rel=1e-9, abs=1e-9)
    assert found.akima == pytest.approx(100 * (factor - 1), rel=1e-9, abs=1e-9)
    assert found.overlap == 1


@given(fronts(4), st.floats(-0.5, 0.5))
def test_a_better_quality_throughout_is_found(given_front: Front, gain: float) -> None:
    better = Front(given_front.size_bytes, given_front.quality + gain, True)
    assert bd_quality(given_front, better).pchip == pytest.approx(gain, abs=1e-9)
    assert bd_quality(given_front, better).akima == pytest.approx(gain, abs=1e-9)


@given(fronts(4), fronts(4))
def test_exchanging_the_two_inverts_the_factor(first: Front, second: Front) -> None:
    there, back = bd_rate(first, second), bd_rate(second, first)
    assert (1 + there.pchip / 100) * (1 + back.pchip / 100) == pytest.approx(1)
    assert (1 + there.akima / 100) * (1 + back.akima / 100) == pytest.approx(1)
    assert there.overlap == back.overlap


@given(fronts(4), fronts(4))
def test_errors_to_be_minimised_are_the_same_question(first: Front, second: Front) -> None:
    errors = minimised(first), minimised(second)
    assert bd_rate(*errors).pchip == pytest.approx(bd_rate(first, second).pchip)
    if min(first.size_bytes[-1], second.size_bytes[-1]) > 1.01 * max(first.size_bytes[0], second.size_bytes[0]):
        assert bd_quality(*errors).pchip == pytest.approx(-bd_quality(first, second).pchip, abs=1e-9)


def test_fewer_than_four_steps_are_refused() -> None:
    short = front((100, 0.5), (200, 0.6), (300, 0.7), (400, 0.65))  # the last is no step
    for pair in ((short, line(2, 1)), (line(2, 1), short)):
        for delta in (bd_rate, bd_quality):
            with pytest.raises(
                ValueError, match=r"^their fronts have \d and \d points: wanted at least 4 on each"
            ) as error:
                delta(*pair)
            assert "\n" not in str(error.value)
    assert bd_rate(line(2, 1, num_points=4), line(2, 1)).pchip == pytest.approx(0)


def test_no_shared_range_is_refused() -> None:
    with pytest.raises(ValueError, match="the two fronts share no range of quality"):
        bd_rate(line(2, 1, 0.1, 0.5), line(2, 1, 0.5, 0.9))
    with pytest.raises(ValueError, match="the two fronts share no range of bytes"):
        bd_quality(line(2, 1), line(5, 1))


def test_steps_too_close_for_a_curve_are_refused() -> None:
    with pytest.raises(ValueError, match="steps of a front are too close to interpolate between") as error:
        bd_rate(line(2, 1), Front(np.array([100, 200, 300, 400.0]), np.array([5e-324, 1e-323, 0.6, 0.8]), True))
    assert "\n" not in str(error.value)


def repeats(factor: float, noise: float, *, num_seeds: int = 5, num_steps: int = 6, seed: int = 0) -> Repeats:
    """A sweep of ``num_steps`` configurations whose sizes differ over seeds."""
    generator = np.random.default_rng(seed)
    rows = []
    for step in range(num_steps):
        sizes = [round(factor * 1000 * 2**step * np.exp(noise * generator.normal())) for _ in range(num_seeds)]
        rows += seeds(f"c{step}", sizes, [0.80 + 0.02 * step] * num_seeds, quality=0.78 + 0.02 * step)
    return Repeats.of(frame(*rows), measure="quality")


def drawn(anchor: Repeats, test: Repeats, *, seed: int = 0, num_resamples: int = 1000) -> Draws:
    return draw(anchor, test, generator=np.random.default_rng(seed), num_resamples=num_resamples)


@given(fronts(4), fronts(4))
def test_the_value_that_seeds_move_is_the_reported_one(first: Front, second: Front) -> None:
    for delta, value in ((bd_rate, pchip_rate), (bd_quality, pchip_quality)):
        try:
            expected = delta(first, second).pchip
        except ValueError:  # they share no range of bytes
            continue
        assert value(first, second) == expected


def test_equal_seeds_have_an_interval_without_width() -> None:
    found = bootstrap(pchip_rate, drawn(repeats(1, 0), repeats(0.5, 0), num_resamples=20))
    assert (found.low, found.high) == (pytest.approx(-50), pytest.approx(-50))
    assert (found.num_usable, found.num_resamples, found.level) == (20, 20, 0.95)


def test_the_interval_holds_the_value_and_widens_with_noise() -> None:
    widths = []
    for noise in (0.02, 0.2):
        pair = repeats(1, noise, seed=1), repeats(0.7, noise, seed=2)
        found = bootstrap(pchip_rate, drawn(*pair, num_resamples=200))
        value = bd_rate(pair[0].front, pair[1].front).pchip
        assert found.low < value < found.high
        widths.append(found.high - found.low)
    assert widths[1] > 3 * widths[0]


def test_the_same_generator_gives_the_same_interval() -> None:
    pair = repeats(1, 0.1, seed=1), repeats(0.7, 0.1, seed=2)
    first, again, other = (bootstrap(pchip_rate, drawn(*pair, seed=seed, num_resamples=50)) for seed in (3, 3, 4))
    assert first == again != other


def test_percentiles_of_a_mean_agree_with_scipy() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    sizes = [100, 130, 180, 220, 300, 310, 400, 450]
    one = Repeats.of(frame(*seeds("a", sizes, [0.9] * 8)), measure="quality_val")

    def mean_size(anchor: Front, test: Front) -> float:
        return float(test.size_bytes[0])

    found = bootstrap(mean_size, drawn(one, one, num_resamples=2000), level=0.9)
    expected = scipy_bootstrap(
        (sizes,), np.mean, method="percentile", confidence_level=0.9, n_resamples=5000, rng=np.random.default_rng(1)
    ).confidence_interval
    wider = math.sqrt(8 / 7)  # each draw has one seed fewer
    distances = np.array([expected.low, expected.high]) - np.mean(sizes)
    assert np.array([found.low, found.high]) - np.mean(sizes) == pytest.approx(wider * distances, rel=0.08)


@pytest.mark.parametrize(("num_shaky", "usable"), [(1, 178), (3, None)])
def test_draws_without_enough_steps_are_counted_and_too_few_are_refused(num_shaky: int, usable: int | None) -> None:
    """A shaky configuration has one seed of three so bad that it is no step when drawn twice (one draw in nine).

    Where all configurations but one are shaky, a bad seed drawn once is enough (five draws in nine).
    """
    sizes = np.repeat([[1000], [2000], [4000], [8000]], 3, axis=1).astype(float)
    quality = np.repeat([[0.80], [0.82], [0.84], [0.86]], 3, axis=1)
    quality[4 - num_shaky :, 0] = 0.81 if num_shaky == 1 else 0.4
    quality[4 - num_shaky :, 1:] += 0.02 * np.arange(1, num_shaky + 1)[:, None]
    four = Repeats(sizes, quality, quality, np.array([3] * 4), np.arange(4), True)

    def interval() -> int:
        return bootstrap(pchip_rate, drawn(repeats(1, 0), four, num_resamples=200)).num_usable

    if usable is None:
        with pytest.raises(ValueError, match=r"^only \d+ of 200 draws of seeds can be compared: wanted at least half"):
            interval()
    else:
        assert interval() == pytest.approx(usable, abs=25)


def test_one_or_two_seeds_have_no_interval() -> None:
    for pair in ((repeats(1, 0, num_seeds=1), repeats(1, 0)), (repeats(1, 0), repeats(1, 0, num_seeds=1))):
        with pytest.raises(ValueError, match="a configuration on a front has 1 seed: wanted at least 3 of each for an"):
            drawn(*pair)
    with pytest.raises(ValueError, match="a configuration on a front has 2 seeds: wanted at least 3"):
        drawn(repeats(1, 0), repeats(1, 0, num_seeds=2))
