"""The configuration to ship."""

from __future__ import annotations

import math

import pytest

from analysis.configurations.best import best
from analysis.configurations.summary import summarise
from tests.analysis.points.rows import frame, seeds

CONFIGURATIONS = summarise(
    frame(
        *seeds("small", [800, 820], [0.90, 0.91]),
        *seeds("middle", [1000, 1100], [0.97, 0.95]),
        *seeds("large", [5000, 5000], [0.98, 0.99]),
    )
)


@pytest.mark.parametrize(("budget", "chosen"), [(820, "small"), (4999, "middle"), (5000, "large"), (1e9, "large")])
def test_it_is_the_best_on_validation_within_the_budget(budget: float, chosen: str) -> None:
    assert best(CONFIGURATIONS, max_size_bytes=budget)["config_hash"] == chosen


def test_limits_hold_for_the_file_that_ships() -> None:
    """The mean is 1050 B; the representative (seed 1, the worse) has 1100 B and 95 %."""
    assert best(CONFIGURATIONS, max_size_bytes=1099)["config_hash"] == "small"
    assert best(CONFIGURATIONS, max_size_bytes=1100)["config_hash"] == "middle"
    larger_mean = summarise(frame(*seeds("a", [900, 1000, 1400], [0.9, 0.91, 0.92])))
    assert best(larger_mean, max_size_bytes=1000)["file_size_bytes"] == 1000


@pytest.mark.parametrize(("quality", "chosen"), [(0.5, "small"), (0.95, "middle"), (0.9501, "large"), (0.98, "large")])
def test_it_is_the_smallest_that_reaches_the_quality(quality: float, chosen: str) -> None:
    assert best(CONFIGURATIONS, min_quality=quality)["config_hash"] == chosen


def test_smaller_is_better_where_the_task_minimises() -> None:
    losses = summarise(frame(*seeds("a", [900], [0.3]), *seeds("b", [1000], [0.1]), *seeds("c", [2000], [0.2])))
    losses = losses.assign(maximise=False)
    assert best(losses, max_size_bytes=3000)["config_hash"] == "b"
    assert best(losses, min_quality=0.3)["config_hash"] == "a"


def test_a_miss_says_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"^nothing fits in 100 B: the smallest file has 800 B$"):
        best(CONFIGURATIONS, max_size_bytes=100)
    with pytest.raises(ValueError, match=r"^no file has accuracy 99.90 % or more on validation: the best has 98.00 %$"):
        best(CONFIGURATIONS, min_quality=0.999)
    losses = summarise(frame(*seeds("a", [900], [2.01], quality_name="bits_per_character", maximise=False)))
    with pytest.raises(
        ValueError, match=r"^no file has bits per character 1.50 or less on validation: the best has 2.01$"
    ):
        best(losses, min_quality=1.5)


def test_a_fraction_is_not_a_percentage() -> None:
    with pytest.raises(ValueError, match=r"^accuracy is a fraction in 0\.\.1: got 97, wanted such as 0\.97$"):
        best(CONFIGURATIONS, min_quality=97)
    for wrong in (-0.1, math.nan, 1000):
        with pytest.raises(ValueError, match=r"accuracy is a fraction in 0\.\.1: got .*, wanted such as 0\.97$"):
            best(CONFIGURATIONS, min_quality=wrong)
    decibels = CONFIGURATIONS.assign(quality_name="psnr_db", file_quality_val=40.0, quality_val_mean=40.0)
    assert best(decibels, min_quality=30)["config_hash"] == "small"


def test_a_failed_seed_everywhere_leaves_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="of each, a seed failed; run the failed trials again"):
        best(CONFIGURATIONS.assign(num_failed=1), max_size_bytes=1e6)


def test_nothing_measured_is_nothing_to_choose_from() -> None:
    for rows in ([], seeds("a", [1000], [math.nan])):
        with pytest.raises(ValueError, match="no measured configuration"):
            best(summarise(frame(*rows)), max_size_bytes=100)


def test_exactly_one_limit_is_wanted() -> None:
    for limits in ({}, {"max_size_bytes": 100.0, "min_quality": 0.9}):
        with pytest.raises(ValueError, match="exactly one"):
            best(CONFIGURATIONS, **limits)
