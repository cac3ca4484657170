"""The space that a sweep's domains span, and how a file writes it."""

from random import Random

import pytest

from orchestrator.search.domains import Choice, IntegerRange, RealRange
from orchestrator.search.space import Space, SpecSpace, parse_count, parse_specs


def spec(name: str, **arguments: object) -> SpecSpace:
    return SpecSpace(name=name, arguments=arguments)


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


@pytest.mark.parametrize("lam", [{"path": [3.2, 0.8]}, {"path": {"from": 3.2, "to": 0.2, "points": 5}, "first": 0.3}])
def test_the_values_of_a_path_are_one_setting(lam: dict[str, object]) -> None:
    (spec,) = parse_specs("method", {"name": "epr", "lam": lam})
    assert spec.arguments == {"lam": lam}
    assert spec.to_dict() == {"name": "epr", "lam": lam}


def test_the_settings_of_a_path_may_be_searched() -> None:
    lam = {"path": {"from": {"loguniform": [1, 100]}, "to": 0.2, "points": [3, 5]}, "first": {"uniform": [0.2, 0.6]}}
    space = Space(
        task=spec("digits"),
        architectures=(spec("mlp"),),
        methods=parse_specs("method", {"name": "epr", "lam": lam}),
        steps=100,
        batch_size=64,
    )
    found = [one["method"]["lam"] for one in space.grid(2)]
    assert len(found) == 8
    assert found[0] == {"path": {"from": 1.0, "to": 0.2, "points": 3}, "first": 0.2}
    assert found[-1] == {"path": {"from": 100.0, "to": 0.2, "points": 5}, "first": 0.6}
