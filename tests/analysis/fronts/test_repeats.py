"""The fronts of single seeds, of their means, and of seeds drawn anew."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.configurations.summary import summarise
from analysis.fronts.pareto import Front
from analysis.fronts.repeats import Repeats, seed_fronts
from tests.analysis.points.rows import frame, seeds, sweep


@pytest.mark.parametrize("maximise", [True, False])
def test_the_front_of_means_is_that_of_the_summary(maximise: bool) -> None:
    points = sweep().assign(maximise=maximise)
    points.loc[3, "quality_val"] = math.nan  # a seed of a configuration that was on the front
    points.loc[points["config_hash"] == points["config_hash"].iloc[9], "num_failed"] = 1
    configurations = summarise(points)
    expected = configurations[configurations["on_front"]].drop_duplicates(["size_bytes_mean", "quality_val_mean"])
    found = Repeats.of(points.sample(frac=1, random_state=0), measure="quality_val").front
    np.testing.assert_allclose(found.size_bytes, expected["size_bytes_mean"])
    np.testing.assert_allclose(found.quality, expected["quality_val_mean"])


def test_validation_chooses_what_is_measured_on_test() -> None:
    points = frame(
        *seeds("a", [100, 200], [0.5, 0.7], quality=0.4),
        *seeds("b", [300, 300], [0.5, 0.5], quality=0.9),
        *seeds("c", [400, 400], [0.8, 0.8], quality=0.6),
    )
    found = Repeats.of(points, measure="quality").front
    assert found.size_bytes.tolist() == [150, 400]
    assert found.quality.tolist() == [0.4, 0.6]


def test_draws_are_of_the_same_configuration_and_of_all_its_seeds_alike() -> None:
    points = frame(*seeds("a", [100, 200], [0.5, 0.5]), *seeds("b", [1000, 2000, 4000], [0.7, 0.7, 0.7]))
    repeats = Repeats.of(points, measure="quality_val")
    generator = np.random.default_rng(0)
    drawn = np.array([repeats.resampled(generator).size_bytes for _ in range(3000)])
    small, share = np.unique(drawn[:, 0], return_counts=True)
    assert small.tolist() == [100, 200]  # one of two seeds, and two of three
    assert share / 3000 == pytest.approx([0.5, 0.5], abs=0.03)
    large, share = np.unique(drawn[:, 1], return_counts=True)
    assert large.tolist() == [1000, 1500, 2000, 2500, 3000, 4000]
    assert drawn[:, 1].mean() == pytest.approx(7000 / 3, rel=0.02)
    assert share[large == 1000] / 3000 == pytest.approx(1 / 9, abs=0.02)


def test_draws_vary_as_much_as_the_mean_of_seeds_does() -> None:
    sizes = [100, 130, 180, 220]
    repeats = Repeats.of(frame(*seeds("a", sizes, [0.5] * 4)), measure="quality_val")
    generator = np.random.default_rng(0)
    drawn = [repeats.resampled(generator).size_bytes[0] for _ in range(4000)]
    assert np.var(drawn) == pytest.approx(np.var(sizes, ddof=1) / 4, rel=0.06)


def test_size_and_quality_of_a_draw_are_of_the_same_files() -> None:
    points = frame(*seeds("a", [100, 200, 300], [0.1, 0.2, 0.3]))
    repeats = Repeats.of(points, measure="quality_val")
    generator = np.random.default_rng(0)
    for _ in range(50):
        (size,), (quality,) = (lambda one: (one.size_bytes, one.quality))(repeats.resampled(generator))
        assert size == pytest.approx(1000 * quality)


def test_the_points_of_one_training_are_drawn_together() -> None:
    """A seed that makes one of them small makes the others small: they are not independent."""
    first, second = seeds("a", [100, 200, 400], [0.5] * 3), seeds("a", [10, 20, 40], [0.4] * 3)
    points = frame(*first, *({**row, "point_id": "other"} for row in second), *seeds("b", [1, 2, 4], [0.3] * 3))
    repeats = Repeats.of(points.sample(frac=1, random_state=0), measure="quality_val")
    assert len(set(repeats.trainings)) == 2
    generator = np.random.default_rng(0)
    drawn = np.array([repeats.resampled(generator).size_bytes for _ in range(500)])
    assert drawn[:, 2] == pytest.approx(10 * drawn[:, 1])
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.15, "another training's draws are its own"


def test_the_points_of_a_training_that_lacks_some_of_them_are_drawn_apart() -> None:
    """As where a scheduler stopped one seed on its way."""
    first, second = seeds("a", [100, 200, 400], [0.5] * 3), seeds("a", [10, 20], [0.4] * 2)
    points = frame(*first, *({**row, "point_id": "other"} for row in second))
    assert len(set(Repeats.of(points, measure="quality_val").trainings)) == 2


def test_the_fewest_seeds_are_counted_on_the_front_alone() -> None:
    dominated, steady = seeds("a", [900], [0.5]), seeds("b", [100, 100], [0.6, 0.6])
    assert Repeats.of(frame(*dominated, *steady), measure="quality").min_seeds_on_front == 2
    assert Repeats.of(frame(*dominated), measure="quality").min_seeds_on_front == 1
    assert Repeats.of(frame(), measure="quality").min_seeds_on_front == 0


def test_nothing_measured_is_an_empty_front() -> None:
    for points in (frame(), frame(*seeds("a", [100, 100], [0.5, math.nan]))):
        repeats = Repeats.of(points, measure="quality_val")
        assert not len(repeats.front)
        assert not len(repeats.resampled(np.random.default_rng(0)))


def test_each_seed_has_a_front_of_its_own() -> None:
    points = frame(
        *seeds("a", [100, 110], [0.5, 0.6], quality=0.4),
        *seeds("b", [200, 210], [0.7, 0.55], quality=0.8),
        *seeds("failed", [10, 10], [0.9, 0.9], num_failed=1),
        *seeds("unmeasured", [10, 10], [0.9, math.nan]),
        *seeds("of one seed", [10], [0.9]),
    )
    first, second = seed_fronts(points.iloc[::-1], measure="quality")
    assert (first.size_bytes.tolist(), first.quality.tolist()) == ([100, 200], [0.4, 0.8])
    assert (second.size_bytes.tolist(), second.quality.tolist()) == ([110], [0.4])
    assert seed_fronts(points[points["seed"] == 0], measure="quality") == []
    assert isinstance(first, Front)
