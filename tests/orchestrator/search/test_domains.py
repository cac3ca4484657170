"""What one setting may be: its values on a grid, draws, and how a file writes it."""

from __future__ import annotations

import math
from random import Random

import pytest

from orchestrator.search.domains import Choice, IntegerRange, RealRange, parse_setting
from orchestrator.search.space import setting_to_dict


def test_a_logarithmic_range_is_spaced_geometrically_from_end_to_end() -> None:
    assert RealRange(0.01, 1.0, log=True).grid(5) == [0.01, 0.0316228, 0.1, 0.316228, 1.0]


def test_a_range_is_spaced_evenly_from_end_to_end() -> None:
    assert RealRange(0, 1).grid(5) == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_one_value_of_a_range_is_its_middle() -> None:
    assert RealRange(0, 1).grid(1) == [0.5]
    assert RealRange(0.01, 1, log=True).grid(1) == [0.1]


def test_whole_numbers_are_rounded_and_never_repeated() -> None:
    assert IntegerRange(1, 10).grid(6) == [1, 3, 5, 6, 8, 10]
    assert IntegerRange(1, 3).grid(6) == [1, 2, 3]


def test_a_choice_ignores_the_number_of_values() -> None:
    assert Choice([2, 4, 8]).grid(1) == [2, 4, 8]


def test_values_keep_their_ends_when_rounding_would_pass_them() -> None:
    domain = RealRange(0.12345678, 0.12345679)
    assert domain.grid(2) == [0.12345678, 0.12345679]
    assert domain.low <= domain.at(Random(0).random()) <= domain.high


def test_draws_stay_inside_and_reach_both_ends() -> None:
    generator = Random(0)
    assert {IntegerRange(1, 4).at(generator.random()) for _ in range(200)} == {1, 2, 3, 4}
    assert {Choice(["abc"]).at(generator.random()), Choice([7]).at(generator.random())} == {"abc", 7}
    logarithms = [math.log10(RealRange(0.01, 100, log=True).at(generator.random())) for _ in range(2000)]
    assert -2 <= min(logarithms) < -1.9
    assert 1.9 < max(logarithms) <= 2
    assert abs(sum(logarithms) / len(logarithms)) < 0.1


@pytest.mark.parametrize(
    "value",
    [
        {"choice": [[1, 2], {"a": 1}, None]},
        {"uniform": [0.0, 1.5]},
        {"loguniform": [0.1, 3.0]},
        {"integers": [1, 10]},
        0.5,
        "text",
        None,
    ],
)
def test_writing_a_setting_inverts_reading_it(value: object) -> None:
    assert setting_to_dict(parse_setting("x", value, lists_are_choices=True)) == value


def test_a_list_is_a_choice_only_where_lists_are_choices() -> None:
    assert parse_setting("bits", [2, 4], lists_are_choices=True) == Choice([2, 4])
    assert parse_setting("hidden", [64], lists_are_choices=False) == [64]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"loguniform": [0, 1]}, "x is {'loguniform': [0, 1]}: wanted [low, high] with 0 < low < high"),
        ({"uniform": [1, 1]}, "x is {'uniform': [1, 1]}: wanted [low, high] with low < high"),
        ({"uniform": [1]}, "x is {'uniform': [1]}: wanted [low, high] with low < high"),
        ({"uniform": 1}, "x is {'uniform': 1}: wanted [low, high] with low < high"),
        ({"uniform": [0, math.inf]}, "x is {'uniform': [0, inf]}: wanted [low, high] with low < high"),
        ({"uniform": [False, True]}, "x is {'uniform': [False, True]}: wanted [low, high] with low < high"),
        ({"integers": [1, 2.5]}, "x is {'integers': [1, 2.5]}: wanted [low, high], whole numbers with low < high"),
        ({"choice": []}, "x is {'choice': []}: wanted a list of at least one value"),
        ({"choice": "ab"}, "x is {'choice': 'ab'}: wanted a list of at least one value"),
        ([], "x is []: wanted a list of at least one value"),
        (
            {"logunifrom": [1, 2]},
            "x is {'logunifrom': [1, 2]}: unknown domain 'logunifrom'; did you mean 'loguniform'?",
        ),
        ({1: 2}, "x is {1: 2}: unknown domain 1; valid: choice, integers, loguniform, uniform"),
        ({}, "x is {}: wanted a value or one domain, such as {loguniform: [0.1, 3.0]}"),
        (
            {"choice": [1], "uniform": [1, 2]},
            "x is {'choice': [1], 'uniform': [1, 2]}: wanted a value or one domain, such as {loguniform: [0.1, 3.0]}",
        ),
    ],
)
def test_a_wrong_domain_is_refused_in_one_line(value: object, message: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_setting("x", value, lists_are_choices=True)
    assert str(error.value) == message
