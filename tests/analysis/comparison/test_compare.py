"""A comparison of fronts whose differences are known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.comparison.compare import Comparison, compare
from analysis.fronts.attainment import vorobev
from analysis.fronts.pareto import Front
from analysis.fronts.repeats import seed_fronts
from tests.analysis.comparison.samples import side
from tests.analysis.points.rows import frame

NOISY = (0.97, 1.0, 1.04)


def against(first: pd.DataFrame, second: pd.DataFrame, **others: pd.DataFrame) -> Comparison:
    return compare({"A": first, "B": second, **others}, num_resamples=50)


def test_77_percent_of_the_bytes_are_23_percent_fewer() -> None:
    (found,) = against(side("a"), side("b", factor=0.77)).against
    assert found.name == "B"
    assert found.reason == ""
    assert found.rate is not None
    assert found.rate_interval is not None
    assert found.rate.pchip == pytest.approx(-23)
    assert (found.rate_interval.low, found.rate_interval.high) == pytest.approx((-23, -23))
    assert found.quality is not None
    assert found.quality.pchip == pytest.approx(-math.log10(0.77) / 5)  # five decades of bytes for each unit of quality


def test_the_first_is_the_anchor() -> None:
    found = against(side("b", factor=0.5), side("a"))
    assert found.anchor.name == "A"
    assert found.against[0].rate is not None
    assert found.against[0].rate.pchip == pytest.approx(100)


def test_uncompressed_networks_are_left_out() -> None:
    plain = side("b", method="uncompressed", low=0.99, high=0.995, factor=100).assign(sweep_id="b-0123abcd")
    bare, mixed = against(side("a"), side("b")), against(side("a"), pd.concat([side("b"), plain]))
    assert mixed.against == bare.against
    assert mixed.sides[1].hypervolume == bare.sides[1].hypervolume
    assert len(mixed.sides[1].configurations) == len(bare.sides[1].configurations)


def test_fronts_are_chosen_on_validation_and_measured_on_test() -> None:
    lucky = side("b").assign(quality=0.999, quality_val=0.5)  # only its smallest point is on the front
    found = against(side("a"), lucky)
    assert found.anchor.front.quality[-1] == pytest.approx(0.96)  # not the 0.97 of validation
    assert len(found.sides[1].front) == 1


def test_what_is_beaten_everywhere_lacks_and_what_beats_lacks_nothing() -> None:
    found = against(side("a"), side("b", factor=0.1))
    worse, better = found.sides
    assert better.lacks.epsilon == better.lacks.igd_plus == 0
    assert worse.lacks.epsilon == pytest.approx(1 / 9)  # a decade of the nine between 1 B and 1 GB
    assert better.hypervolume - worse.hypervolume == pytest.approx(0.96 / 9)
    assert found.scale.describe("accuracy") == "1 B to 1 GB, accuracy 0.00 to 100.00 %"


def test_intervals_depend_on_nothing_but_the_two_sides() -> None:
    first, second = side("a", spread=NOISY), side("b", factor=0.9, spread=NOISY[::-1])
    (alone,) = against(first, second).against
    again = against(first.sample(frac=1, random_state=1), second.sample(frac=1, random_state=2), C=side("c")).against[0]
    assert alone == again
    assert alone.rate_interval is not None
    assert alone.rate_interval.low < alone.rate_interval.high


def test_one_seed_has_no_interval_and_no_deviation() -> None:
    found = against(side("a", spread=(1,)), side("b", spread=NOISY))
    assert found.against[0].rate is not None
    assert found.against[0].rate_interval is None
    assert "1 seed" in found.against[0].reason
    assert math.isnan(found.sides[0].deviation)
    assert found.sides[1].deviation > 0


def test_the_deviation_is_of_configurations_that_have_all_seeds() -> None:
    whole = side("a", spread=NOISY)
    partial = pd.concat([whole, side("x", spread=(0.5,))], ignore_index=True)
    failed = pd.concat([whole, side("y", spread=(0.5, 0.5, 0.5), num_failed=1)], ignore_index=True)
    found = compare({"A": whole, "B": partial, "C": failed}, num_resamples=5)
    fronts = seed_fronts(whole, measure="quality")
    expected = vorobev(fronts, found.scale.reference).deviation / found.scale.area
    assert expected > 0
    assert [one.deviation for one in found.sides] == pytest.approx([expected] * 3)


def test_fewer_than_four_points_or_no_shared_range_have_no_rate() -> None:
    (few,) = against(side("a"), side("b", num_points=3)).against
    assert (few.rate, few.rate_interval, few.quality) == (None, None, None)
    assert "fronts have 3 and 6 points" in few.reason
    apart = against(side("a"), side("b", low=0.97, high=0.99))
    assert apart.against[0].rate is None
    assert "share no range" in apart.against[0].reason
    assert apart.levels == ()


def test_levels_are_round_and_cost_what_the_fronts_say() -> None:
    found = against(side("a", num_points=50), side("b", num_points=50, factor=0.5))
    qualities = [level.quality for level in found.levels]
    assert qualities == pytest.approx([0.86, 0.91, 0.94, 0.95, 0.96])
    for level in found.levels:
        first, second = level.size_bytes
        assert second == pytest.approx(first / 2)
        assert first == found.anchor.front.size_at([level.quality - 1e-9])[0]


@pytest.mark.parametrize("end", [0.8, 0.80001, 0.8001, 0.83, 0.999999])
def test_levels_are_reached_by_all_and_differ(end: float) -> None:
    found = against(side("a", low=0.8, high=end), side("b", low=0.5, high=0.999999, num_points=90))
    fronts = [one.front for one in found.sides]
    qualities = [level.quality for level in found.levels]
    assert 1 <= len(qualities) <= 5
    assert qualities == sorted(set(qualities))
    assert not np.isnan([level.size_bytes for level in found.levels]).any()
    assert qualities[0] >= max(front.quality[0] for front in fronts) - 1e-9


def test_an_error_to_be_minimised_gives_the_same() -> None:
    def flipped(points: pd.DataFrame) -> pd.DataFrame:
        names = ["quality", "quality_val"]
        return points.assign(**{name: 1 - points[name] for name in names}, maximise=False, quality_name="loss")

    first, second = side("a", spread=NOISY), side("b", factor=0.9, spread=NOISY)
    straight, mirrored = against(first, second), against(flipped(first), flipped(second))
    assert straight.against[0].rate is not None
    assert mirrored.against[0].rate is not None
    assert mirrored.against[0].rate.pchip == pytest.approx(straight.against[0].rate.pchip)
    assert mirrored.against[0].quality is not None
    assert straight.against[0].quality is not None
    assert mirrored.against[0].quality.pchip == pytest.approx(-straight.against[0].quality.pchip)
    losses = [level.quality for level in mirrored.levels]
    assert losses == sorted(losses, reverse=True)
    assert mirrored.levels[-1].size_bytes == pytest.approx(straight.levels[-1].size_bytes)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="got A: wanted at least two"):
        compare({"A": side("a")})
    with pytest.raises(ValueError, match="A has task digits and B mnist: only points of the same"):
        against(side("a"), side("b", task="mnist"))
    with pytest.raises(ValueError, match="A has quality_name accuracy and B psnr_db"):
        against(side("a"), side("b", quality_name="psnr_db"))
    for nothing in (side("b", method="uncompressed"), side("b", num_failed=1), frame()):
        with pytest.raises(ValueError, match="B has no compressed network of which every seed finished"):
            against(side("a"), nothing)


def test_inputs_are_not_written_to() -> None:
    first, second = side("a", spread=NOISY), side("b", spread=NOISY)
    copies = first.copy(), second.copy()
    against(first, second)
    pd.testing.assert_frame_equal(first, copies[0])
    pd.testing.assert_frame_equal(second, copies[1])


def test_the_front_is_that_of_means_over_seeds() -> None:
    found = against(side("a", spread=(0.5, 1.5)), side("b"))
    expected = Front(found.sides[1].front.size_bytes, found.sides[1].front.quality, True)
    np.testing.assert_allclose(found.anchor.front.size_bytes, expected.size_bytes)
