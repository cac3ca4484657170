"""Domains and the space they span."""

import math
from random import Random

import pytest

from orchestrator.search.domains import Choice, IntegerRange, RealRange, parse_setting
from orchestrator.search.space import Space, SpecSpace, parse_count, parse_specs, setting_to_dict


def spec(name: str, **arguments: object) -> SpecSpace:
    return SpecSpace(name=name, arguments=arguments)


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


def test_lists_are_choices_for_a_method_and_values_for_an_architecture() -> None:
    assert parse_specs("method", {"name": "ptq", "bits": [2, 4]}) == (spec("ptq", bits=Choice([2, 4])),)
    assert parse_specs("architecture", {"name": "mlp", "hidden": [64]}) == (spec("mlp", hidden=[64]),)
    assert parse_specs("architecture", {"name": "mlp", "hidden": {"choice": [[64], [32]]}}) == (
        spec("mlp", hidden=Choice([[64], [32]])),
    )


def test_the_order_of_arguments_means_nothing() -> None:
    one, two = {"name": "epr", "lam": [1, 2], "beta": [3, 4]}, {"beta": [3, 4], "lam": [1, 2], "name": "epr"}
    assert list(parse_specs("method", one)[0].arguments) == list(parse_specs("method", two)[0].arguments)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "method is []: wanted at least one"),
        (3, "method is 3: wanted a name, or a mapping with a name and arguments"),
        ({"lam": 1}, "method is {'lam': 1}: wanted a name, or a mapping with a name and arguments"),
        ({"name": "epr", True: 1}, "method 'epr' has an argument True: wanted a name"),
        ({"name": "epr", "lam": []}, "method 'epr': lam is []: wanted a list of at least one value"),
    ],
)
def test_a_wrong_spec_is_refused_in_one_line(value: object, message: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_specs("method", value)
    assert str(error.value) == message


def test_a_count_may_be_a_domain_of_whole_numbers() -> None:
    assert parse_count("steps", 5) == 5
    assert parse_count("steps", [5, 10]) == Choice([5, 10])
    assert parse_count("steps", {"integers": [5, 10]}) == IntegerRange(5, 10)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-5, "steps is -5: wanted a whole number of at least 1"),
        ([5, 0], "steps is 0: wanted a whole number of at least 1"),
        ("many", "steps is 'many': wanted a whole number of at least 1"),
        ({"uniform": [1, 5]}, "steps is 1.0: wanted a whole number of at least 1"),
    ],
)
def test_a_count_that_is_no_positive_whole_number_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_count("steps", value)
    assert str(error.value) == message


def test_a_grid_goes_architecture_by_architecture_and_the_last_domain_varies_fastest() -> None:
    space = Space(
        task=spec("digits"),
        architectures=(spec("mlp", hidden=[8]), spec("cnn")),
        methods=(spec("epr", lam=Choice([1, 2])), spec("uncompressed")),
        steps=Choice([10, 20]),
        batch_size=64,
    )
    rows = [
        (found["architecture"]["name"], found["method"].get("lam"), found["steps"])
        for found in space.grid(num_values=6)
    ]
    assert rows == [
        *(("mlp", 1, 10), ("mlp", 1, 20), ("mlp", 2, 10), ("mlp", 2, 20), ("mlp", None, 10), ("mlp", None, 20)),
        *(("cnn", 1, 10), ("cnn", 1, 20), ("cnn", 2, 10), ("cnn", 2, 20), ("cnn", None, 10), ("cnn", None, 20)),
    ]


def test_a_draw_has_only_the_arguments_of_its_own_method() -> None:
    methods = (spec("epr", lam=RealRange(0.1, 1)), spec("ptq", bits=Choice([2, 4])))
    space = Space(task=spec("digits"), architectures=(spec("mlp"),), methods=methods, steps=1, batch_size=1)
    drawn = [space.at(iter(Random(seed).random, None))["method"] for seed in range(50)]
    assert {tuple(sorted(method)) for method in drawn} == {("lam", "name"), ("bits", "name")}
