"""Searchers: what they propose, and that they always propose the same."""

import pytest

from orchestrator.domains import AbstractDomain, Choice, Integers, Real
from orchestrator.searchers import SEARCHERS
from orchestrator.searchers.base import AbstractSearch
from orchestrator.searchers.grid import Grid
from orchestrator.searchers.random import Random
from orchestrator.space import Configuration, Space, SpecSpace, identity


def space(*, lam: AbstractDomain | float, steps: AbstractDomain | int = 10) -> Space:
    return Space(
        task=SpecSpace(name="digits", arguments={}),
        architectures=(SpecSpace(name="mlp", arguments={"hidden": [8]}), SpecSpace(name="cnn", arguments={})),
        methods=(
            SpecSpace(name="epr", arguments={"lam": lam}),
            SpecSpace(name="ptq", arguments={"bits": Choice([2, 4])}),
        ),
        steps=steps,
        batch_size=64,
    )


CONTINUOUS = space(lam=Real(0.1, 3.0, log=True), steps=Integers(10, 1000))
FINITE = space(lam=Choice([0.1, 0.2]))
"""Eight configurations."""


def drain(search: AbstractSearch) -> list[Configuration]:
    return list(iter(search.ask, None))


@pytest.mark.parametrize("searcher", [Grid(), Random(num_trials=20)], ids=["grid", "random"])
def test_a_searcher_proposes_the_same_again(searcher: Grid | Random) -> None:
    assert drain(searcher.start(CONTINUOUS, 3)) == drain(searcher.start(CONTINUOUS, 3))


@pytest.mark.parametrize("searcher", [Grid(), Random(num_trials=100)], ids=["grid", "random"])
def test_an_exhausted_searcher_stays_exhausted_whatever_it_is_told(searcher: Grid | Random) -> None:
    search = searcher.start(FINITE, 0)
    configurations = drain(search)
    for configuration in configurations:
        search.tell(configuration, {"quality_val": 0.5})
    assert len(configurations) == 8
    assert search.ask() is None


def test_a_grid_takes_the_asked_number_of_values_of_each_range() -> None:
    configurations = drain(Grid(num_values=3).start(space(lam=Real(0.1, 10, log=True)), 0))
    assert [found["method"]["lam"] for found in configurations[:3]] == [0.1, 1.0, 10.0]
    assert len(configurations) == 2 * (3 + 2)


def test_a_grid_leaves_out_what_it_already_proposed() -> None:
    repeated = Space(
        task=SpecSpace(name="digits", arguments={}),
        architectures=(SpecSpace(name="cnn", arguments={}),),
        methods=(SpecSpace(name="ptq", arguments={"bits": Choice([2, 4, 2])}),),
        steps=1,
        batch_size=1,
    )
    assert [found["method"]["bits"] for found in drain(Grid().start(repeated, 0))] == [2, 4]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("searched", [CONTINUOUS, FINITE], ids=["continuous", "finite"])
def test_more_random_trials_only_add_to_the_earlier_ones(searched: Space, seed: int) -> None:
    many = drain(Random(num_trials=20).start(searched, seed))
    for num_trials in (1, 5, 10):
        few = drain(Random(num_trials=num_trials).start(searched, seed))
        assert few == many[: len(few)]


@pytest.mark.parametrize("seed", range(10))
def test_random_configurations_never_repeat(seed: int) -> None:
    drawn = [identity(found) for found in drain(Random(num_trials=8).start(FINITE, seed))]
    assert len(set(drawn)) == len(drawn) == 8


def test_random_configurations_depend_on_the_seed() -> None:
    searcher = Random(num_trials=5)
    assert drain(searcher.start(CONTINUOUS, 0)) != drain(searcher.start(CONTINUOUS, 1))


def test_random_configurations_are_those_of_every_machine() -> None:
    drawn = [(found["method"], found["steps"]) for found in drain(Random(num_trials=3).start(CONTINUOUS, 0))]
    assert drawn == [
        ({"name": "ptq", "bits": 4}, 339),
        ({"name": "ptq", "bits": 4}, 29),
        ({"name": "epr", "lam": 0.115518}, 807),
    ]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("grid", {"num_values": 0}, "num_values is 0: wanted a whole number of at least 1"),
        ("random", {"num_trials": 2.5}, "num_trials is 2.5: wanted a whole number of at least 1"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as error:
        SEARCHERS[name](**settings)
    assert str(error.value) == message
