"""Goals: constraints, and the scores of configurations with several seeds and several points."""

from __future__ import annotations

import math
from typing import Any

import pytest

from orchestrator.search.goals import Constraint, Goals, Told, told_from_dict, told_to_dict
from tests import points
from trainers.record import OperatingPoint


def point(size_bytes: int, quality_val: float, **changes: Any) -> OperatingPoint:
    return points.point(size_bytes=size_bytes, quality_val=quality_val, quality=math.nan, **changes)


def test_seeds_are_told_as_their_mean_and_spread() -> None:
    told = Goals().told([[point(100, 0.9)], [point(10_000, 0.7)]], [])
    assert told is not None
    assert told.costs == pytest.approx((3.0, -0.8))
    assert told.spreads == pytest.approx((1.0, 0.1))


def test_a_quality_to_be_minimised_is_a_cost_as_it_is() -> None:
    told = Goals().told([[point(100, 3.5, maximise=False)]], [])
    assert told is not None
    assert told.costs == pytest.approx((2.0, 3.5))


def test_every_objective_counts_in_the_order_given() -> None:
    goals = Goals(objectives=("macs", "quality_val", "train_s", "size_bytes"))
    told = goals.told([[point(10, 0.5, macs=1000, train_s=100.0)]], [])
    assert told is not None
    assert told.costs == pytest.approx((3.0, -0.5, 2.0, 1.0))


@pytest.mark.parametrize("seeds", [[], [[], []], [[point(100, math.nan)]], [[point(100, math.inf)]]])
def test_what_was_not_measured_failed(seeds: list[list[OperatingPoint]]) -> None:
    assert Goals().told(seeds, []) is None


def test_seeds_that_failed_are_left_out() -> None:
    assert Goals().told([[point(100, 0.9)], []], []) == Goals().told([[point(100, 0.9)]], [])


def test_of_several_points_the_one_that_adds_most_is_told() -> None:
    both = [point(100, 0.9, point_id="small"), point(1000, 0.95, point_id="large")]
    small, large = (Goals().told([[one]], []) for one in both)
    assert small is not None
    assert large is not None
    assert Goals().told([both, both], [small]) == large
    assert Goals().told([both, both], [large]) == small


def test_of_several_points_one_within_the_constraints_is_told() -> None:
    goals = Goals(constraints=(Constraint.parse("size_bytes <= 500"),))
    both = [point(499, 0.6, point_id="small"), point(501, 0.95, point_id="large")]
    told = goals.told([both], [])
    assert told is not None
    assert told.costs[1] == -0.6
    assert told.violations == (pytest.approx(math.log10(499 / 500)),)


@pytest.mark.parametrize(
    ("text", "value", "violation"),
    [
        ("size_bytes <= 20 kB", 200_000.0, 1.0),
        ("size_bytes<=1.5MB", 1_500_000.0, 0.0),
        ("quality_val >= 0.9", 0.95, -0.05),
        ("train_s <= 1e2", 1.0, -2.0),
        ("macs >= 7", 0.7, 1.0),
    ],
)
def test_constraints_are_read_and_kept(text: str, value: float, violation: float) -> None:
    constraint = Constraint.parse(text)
    assert constraint.violation(value) == pytest.approx(violation)
    assert Constraint.parse(str(constraint)) == constraint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quality >= 0.9", "constraint 'quality' is measured on the test split, which only reports: wanted "
         "'quality_val'"),
        ("size <= 3 kB", "unknown constraint 'size'; valid: macs, quality_val, size_bytes, train_s"),
        ("size_bytes < 3 kB", "constraint 'size_bytes < 3 kB': wanted a column and its bound, such as "
         "'size_bytes <= 20 kB'"),
        ("size_bytes <= -3", "constraint 'size_bytes <= -3': got size '-3': wanted bytes such as 812, 10kB or 1.5MB "
         "(1 kB = 1000 bytes)"),
        ("macs <= nan", "constraint 'macs <= nan': the bound must be finite and above 0"),
        ("train_s <= 0", "constraint 'train_s <= 0': the bound must be finite and above 0"),
        ("quality_val >= inf", "constraint 'quality_val >= inf': the bound must be finite"),
        (7, "constraint 7: wanted a column and its bound, such as 'size_bytes <= 20 kB'"),
    ],
)  # fmt: skip
def test_a_wrong_constraint_is_refused(text: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:
        Constraint.parse(text)
    assert str(error.value) == message


def test_what_is_told_survives_a_record() -> None:
    told = Told(costs=(1.0, 2.0), spreads=(0.0, 0.1), violations=(-1.0,))
    assert told_from_dict(told_to_dict(told)) == told
    assert told_from_dict(told_to_dict(None)) is None
