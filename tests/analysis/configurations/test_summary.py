"""Configurations, their representatives and the front."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.configurations.best import best
from analysis.configurations.summary import CONFIGURATION_COLUMNS, of_task, summarise, within_cost
from tests.analysis.points.rows import frame, seeds, sweep


def one(points: pd.DataFrame) -> pd.Series:
    configurations = summarise(points)
    assert len(configurations) == 1
    return configurations.iloc[0]


def test_means_and_sample_deviations_are_over_seeds() -> None:
    row = one(frame(*seeds("a", [1000, 1100, 1200], [0.90, 0.92, 0.94])))
    assert row["num_seeds"] == 3
    assert row["size_bytes_mean"] == 1100
    assert row["size_bytes_std"] == pytest.approx(100)
    assert row["quality_val_std"] == pytest.approx(0.02)
    assert row["compression_ratio_mean"] == pytest.approx(19240 / 3 * (1 / 1000 + 1 / 1100 + 1 / 1200))


def test_one_seed_has_no_spread() -> None:
    assert math.isnan(one(frame({}))["quality_std"])


@pytest.mark.parametrize(
    ("validation", "maximise", "seed"),
    [
        ([0.90, 0.94, 0.92], True, 2),
        ([0.90, 0.94], True, 0),
        ([0.90, 0.94], False, 1),
        ([0.4, 0.1, 0.3, 0.2], True, 3),
        ([0.4, 0.1, 0.3, 0.2], False, 2),
        ([0.7], True, 0),
    ],
)
def test_the_lower_median_validation_seed_represents(validation: list[float], maximise: bool, seed: int) -> None:
    points = frame(*seeds("a", [1000] * len(validation), validation, maximise=maximise))
    row = one(points.sample(frac=1, random_state=1))
    assert row["file_seed"] == seed
    assert row["file_quality_val"] == validation[seed]
    assert row["file_run_id"] == f"run{seed}"


def test_equal_seeds_are_not_resolved_towards_the_smaller_file() -> None:
    assert one(frame(*seeds("a", [1000, 1200], [0.9, 0.9])))["file_size_bytes"] == 1200


def test_a_failed_trial_keeps_its_configuration_off_the_front() -> None:
    lucky, steady = seeds("lucky", [900, 900], [0.99, 0.99], num_failed=1), seeds("steady", [1000] * 3, [0.95] * 3)
    configurations = summarise(frame(*lucky, *steady)).set_index("config_hash")
    assert configurations["num_failed"].to_dict() == {"lucky": 1, "steady": 0}
    assert configurations["num_seeds"].to_dict() == {"lucky": 2, "steady": 3}
    assert configurations["on_front"].to_dict() == {"lucky": False, "steady": True}
    for limit in ({"max_size_bytes": 1e6}, {"min_quality": 0.9}):
        assert best(configurations.reset_index(), **limit)["config_hash"] == "steady"


def test_equal_seeds_have_their_own_value_as_mean() -> None:
    row = one(frame(*seeds("a", [1000] * 7, [0.93] * 7)))  # seven times 0.93, rounded, is not 6.51
    assert row["quality_val_mean"] == 0.93
    assert best(summarise(frame(*seeds("a", [1000] * 7, [0.93] * 7))), min_quality=0.93)["num_seeds"] == 7


def test_small_errors_are_not_rounded_to_equal() -> None:
    good, bad = seeds("good", [1000], [1e-13]), seeds("bad", [1000], [3e-13])
    points = frame(*good, *bad).assign(maximise=False, quality_name="mse")
    configurations = summarise(points).set_index("config_hash")
    assert configurations["quality_val_mean"].to_dict() == {"good": 1e-13, "bad": 3e-13}
    assert configurations["on_front"].to_dict() == {"good": True, "bad": False}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_a_mean_does_not_depend_on_the_order_of_seeds(validation: list[float], random: np.random.Generator) -> None:
    shuffled = list(validation)
    random.shuffle(shuffled)
    before, after = (
        seeds(name, [1000] * len(validation), values) for name, values in (("a", validation), ("b", shuffled))
    )
    assert summarise(frame(*before, *after))["quality_val_mean"].nunique() == 1


def test_a_seed_without_a_quality_keeps_its_configuration_off_the_front() -> None:
    row = one(frame(*seeds("a", [1000, 1000, 1000], [0.9, math.nan, 0.9])))
    assert not row["on_front"]
    assert row["file_quality_val"] == 0.9
    assert one(frame(*seeds("a", [1000, 1000], [0.9, math.nan])))["file_seed"] == 1


def test_the_front_stands_on_means_and_not_on_lucky_seeds() -> None:
    steady, lucky = seeds("a", [1000] * 3, [0.95] * 3), seeds("b", [1000] * 3, [0.99, 0.80, 0.80])
    configurations = summarise(frame(*steady, *lucky)).set_index("config_hash")
    assert configurations["on_front"].to_dict() == {"a": True, "b": False}


def test_points_of_one_trial_are_configurations_of_their_own() -> None:
    configurations = summarise(frame({"point_id": "0"}, {"point_id": "1", "size_bytes": 500, "quality_val": 0.9}))
    assert configurations["point_id"].tolist() == ["1", "0"]
    assert configurations["on_front"].all()


def test_no_points_give_no_configurations() -> None:
    assert tuple(summarise(frame()).columns) == CONFIGURATION_COLUMNS
    assert summarise(frame()).empty


@pytest.mark.parametrize("other", [{"task": "mnist"}, {"quality_name": "psnr_db"}, {"maximise": False}])
def test_what_cannot_be_compared_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a frontier needs one") as error:
        summarise(frame({}, {"seed": 1, **other}))
    assert "\n" not in str(error.value)


def test_equal_cost_keeps_all_seeds_of_a_configuration_or_none() -> None:
    points = frame(
        *seeds("short", [100, 100, 100], [0.5, 0.5, 0.5], num_steps=100, train_s=2.0),
        *seeds("long", [100, 100, 100], [0.9, 0.9, 0.9], num_steps=500, train_s=9.0),
    )
    points.loc[0, "train_s"] = 5.0  # one seed ran on a busy machine
    assert set(within_cost(points, max_steps=100)["config_hash"]) == {"short"}
    assert within_cost(points, max_train_s=3)["seed"].tolist() == [0, 1, 2]
    assert len(within_cost(points, max_steps=500, max_train_s=9)) == len(within_cost(points)) == 6
    with pytest.raises(ValueError, match="no training is that short: the shortest took 100 steps, and the fastest 2 s"):
        within_cost(points, max_steps=99)
    with pytest.raises(ValueError, match="no training is that short"):
        within_cost(points, max_steps=0)
    assert within_cost(points.iloc[:0], max_steps=1).empty


def test_a_task_is_selected_or_the_nearest_named() -> None:
    points = frame({}, {"task": "mnist"})
    assert of_task(points, "mnist")["task"].tolist() == ["mnist"]
    with pytest.raises(ValueError, match="did you mean 'digits'"):
        of_task(points, "digit")


def test_inputs_are_never_written_to() -> None:
    points = sweep()
    before = points.copy(deep=True)
    configurations = summarise(points)
    pd.testing.assert_frame_equal(points, before)
    before = configurations.copy(deep=True)
    best(configurations, max_size_bytes=10_000)
    pd.testing.assert_frame_equal(configurations, before)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans(), st.integers(3000, 100_000))
def test_the_test_split_never_changes_a_choice(random: np.random.Generator, maximise: bool, budget: int) -> None:
    points = sweep().assign(maximise=maximise)
    shuffled = points["quality"].tolist()
    random.shuffle(shuffled)
    rows = random.sample(range(len(points)), len(points))
    changed = points.assign(quality=shuffled).iloc[rows]
    choosing = ["config_hash", "file_run_id", "file_size_bytes", "on_front"]
    before, after = summarise(points), summarise(changed)
    pd.testing.assert_frame_equal(before[choosing], after[choosing])
    for limit in ({"max_size_bytes": float(budget)}, {"min_quality": 0.95}):
        assert best(before, **limit)["file_run_id"] == best(after, **limit)["file_run_id"]
