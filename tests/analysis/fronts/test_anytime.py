"""How hypervolume grows with trials and with seconds."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from analysis.fronts.anytime import Anytime, anytime
from analysis.fronts.pareto import Front
from analysis.fronts.scale import Scale, scale_for
from tests.analysis.points.rows import frame, seeds, sweep

BOX = Scale(smallest_bytes=10, largest_bytes=100_000, worst_quality=0.0, best_quality=1.0)  # 4 decades


def one_seed() -> pd.DataFrame:
    return frame(
        {"config_hash": "a", "size_bytes": 10_000, "quality_val": 0.8, "quality": 0.1, "train_s": 2.0},
        {"config_hash": "b", "size_bytes": 20_000, "quality_val": 0.7, "quality": 1.0, "train_s": 3.0},  # dominated
        {"config_hash": "c", "size_bytes": 1000, "quality_val": 0.4, "quality": 0.1, "train_s": 4.0},
    )


def followed(points: pd.DataFrame, scale: Scale, *, against: Literal["trials", "train_s"]) -> Anytime:
    """``anytime`` for trials that all have points, which say what each trial took."""
    trials = points.groupby("trial_id", sort=False, as_index=False)[["seed", "train_s"]].max()
    return anytime(points, trials, scale, against=against)


def test_a_curve_by_hand() -> None:
    found = followed(one_seed(), BOX, against="trials")
    assert found.cost.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.mean, [0.8 / 4, 0.8 / 4, (0.8 + 0.4) / 4])
    assert np.isnan(found.std).all()
    assert found.num_seeds == 1


def test_seconds_add_up() -> None:
    found = followed(one_seed(), BOX, against="train_s")
    assert found.cost.tolist() == [2, 5, 9]
    np.testing.assert_allclose(found.mean, followed(one_seed(), BOX, against="trials").mean)


def test_a_point_counts_from_when_it_was_stored() -> None:
    points = frame(
        {"trial_id": "t", "point_id": "0", "size_bytes": 10_000, "quality_val": 0.8, "train_s": 2.0},
        {"trial_id": "t", "point_id": "1", "size_bytes": 1000, "quality_val": 0.4, "train_s": 5.0},
    )
    assert followed(points, BOX, against="trials").cost.tolist() == [1]
    found = followed(points, BOX, against="train_s")
    assert found.cost.tolist() == [2, 5]
    np.testing.assert_allclose(found.mean, [0.8 / 4, 1.2 / 4])


def test_mean_and_deviation_are_over_seeds_of_which_each_has_its_own_clock() -> None:
    points = frame(
        {"config_hash": "a", "seed": 0, "size_bytes": 10_000, "quality_val": 0.8, "train_s": 1.0},
        {"config_hash": "a", "seed": 1, "size_bytes": 10_000, "quality_val": 0.4, "train_s": 3.0},
        {"config_hash": "b", "seed": 0, "size_bytes": 10_000, "quality_val": 0.9, "train_s": 4.0},
    )
    found = followed(points, BOX, against="train_s")
    assert found.cost.tolist() == [1, 3, 5]
    np.testing.assert_allclose(4 * found.mean, [0.4, 0.6, 0.65])
    np.testing.assert_allclose(4 * found.std, np.array([0.8, 0.4, 0.5]) / math.sqrt(2))
    assert found.num_seeds == 2


def test_it_ends_at_what_the_seeds_fronts_cover() -> None:
    points, scale = sweep(), scale_for("accuracy", [])
    found = followed(points, scale, against="train_s")
    whole = [
        scale.hypervolume(Front.of(rows["size_bytes"], rows["quality_val"], maximise=True))
        for _, rows in points.groupby("seed")
    ]
    assert found.mean[-1] == pytest.approx(np.mean(whole))
    assert found.std[-1] == pytest.approx(np.std(whole, ddof=1))
    assert (np.diff(found.mean) >= 0).all()
    assert (np.diff(found.cost) > 0).all()


def test_what_was_not_measured_costs_and_adds_nothing() -> None:
    points = frame(*seeds("a", [1000], [math.nan], train_s=2.0), *seeds("b", [1000], [0.5], train_s=2.0))
    found = followed(points, BOX, against="train_s")
    assert found.cost.tolist() == [2, 4]
    np.testing.assert_allclose(found.mean, [0, 0.25])


def test_trials_without_points_cost_and_seeds_beside_a_failed_one_add_nothing() -> None:
    points = frame(
        *seeds("a", [1000], [0.5], trial_id="a", train_s=2.0),
        *seeds("b", [10], [0.9], trial_id="b", num_failed=1),
        *seeds("c", [1000], [0.8], trial_id="c", train_s=5.0),
    )
    took = {"stopped": 1.0, "a": 2.0, "failed": 3.0, "b": 4.0, "c": 5.0}  # in the order in which they started
    trials = pd.DataFrame({"trial_id": list(took), "seed": 0, "train_s": list(took.values())})
    shuffled = points.iloc[::-1]
    assert anytime(shuffled, trials, BOX, against="trials").cost.tolist() == [1, 2, 3, 4, 5]
    found = anytime(shuffled, trials, BOX, against="train_s")
    assert found.cost.tolist() == [1, 3, 6, 10, 15]
    np.testing.assert_allclose(found.mean, [0, 0.25, 0.25, 0.25, 0.4])


def test_no_points_are_refused() -> None:
    with pytest.raises(ValueError, match="no points to follow: no run has finished yet"):
        followed(frame(), BOX, against="trials")
