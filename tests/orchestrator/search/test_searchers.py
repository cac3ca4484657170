"""Searchers: what they propose, and that they always propose the same."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from dataclasses import asdict
from statistics import fmean

import pytest

from orchestrator.search.domains import AbstractDomain, Choice, IntegerRange, RealRange
from orchestrator.search.goals import Constraint, Goals, Told
from orchestrator.search.searchers import SEARCHERS
from orchestrator.search.searchers.base import AbstractSearch, AbstractSearcher, Asked
from orchestrator.search.searchers.grid import Grid
from orchestrator.search.searchers.optuna_samplers import Gp, Nsga2, Tpe
from orchestrator.search.searchers.random import Random
from orchestrator.search.searchers.sobol import Sobol
from orchestrator.search.space import Configuration, Space, SpecSpace, identity


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


CONTINUOUS = space(lam=RealRange(0.1, 3.0, log=True), steps=IntegerRange(10, 1000))
FINITE = space(lam=Choice([0.1, 0.2]))
"""A space of eight configurations."""


GOALS = Goals(constraints=(Constraint.parse("size_bytes <= 1 kB"),))
EVERY: dict[str, AbstractSearcher] = {
    "grid": Grid(),
    "random": Random(num_trials=20),
    "sobol": Sobol(num_trials=20),
    "tpe": Tpe(num_trials=20),
    "nsga2": Nsga2(num_trials=20, num_random=4),
    "gp": Gp(num_trials=12),
}
ADAPTIVE = [name for name, searcher in EVERY.items() if searcher.is_adaptive]


def drain(search: AbstractSearch) -> list[Configuration]:
    return [asked.configuration for asked in iter(search.ask, None)]


def waste(configuration: Configuration) -> float:
    """How bad a configuration is: it has steps far from 500, or the wrong method."""
    return abs(configuration["steps"] - 500) / 250 if configuration["method"]["name"] == "epr" else 4.0


def outcome(configuration: Configuration) -> Told | None:
    """The score of a configuration: lam trades one objective for the other, and below 0.15 the training fails."""
    lam = configuration["method"].get("lam", 1.0)
    if lam < 0.15:
        return None
    costs = (waste(configuration) - math.log(lam), (waste(configuration) + math.log(lam)) / 10)
    return Told(costs=costs, spreads=(0.0, 0.0), violations=(costs[0] - 3,))


def converse(search: AbstractSearch, *, delay: int = 2) -> list[Configuration]:
    """Everything that a search proposes when it is told each result ``delay`` configurations later."""
    found: list[Configuration] = []
    while (asked := search.ask()) is not None:
        found.append(asked.configuration)
        if len(found) > delay:
            search.tell(len(found) - 1 - delay, outcome(found[-1 - delay]))
    return found


def test_every_searcher_is_tested() -> None:
    assert set(EVERY) == set(SEARCHERS)
    assert all(type(EVERY[name]) is kind for name, kind in SEARCHERS.items())


@pytest.mark.parametrize("name", EVERY)
def test_a_searcher_proposes_the_same_again(name: str) -> None:
    first, second = (converse(EVERY[name].start(CONTINUOUS, GOALS, 3)) for _ in range(2))
    assert first == second
    assert len(first) >= 12
    assert converse(EVERY[name].start(CONTINUOUS, GOALS, 4)) != first or name == "grid"


@pytest.mark.parametrize("name", EVERY)
def test_a_restored_search_goes_on_as_the_uninterrupted_one(name: str) -> None:
    search = EVERY[name].start(CONTINUOUS, GOALS, 3)
    asked: list[Asked] = []
    for number in range(11):
        found = search.ask()
        assert found is not None
        asked.append(found)
        if number in (3, 5, 6, 9):  # not in order, and not all
            search.tell(number - 3, outcome(asked[number - 3].configuration))
    restored = EVERY[name].start(CONTINUOUS, GOALS, 3)
    for found in json.loads(json.dumps([asdict(one) for one in asked])):  # as they are stored in a record on disk
        restored.restore(Asked(**found))
    for number in (0, 6, 2, 3):
        restored.tell(number, outcome(asked[number].configuration))
    assert drain(restored) == drain(search)


@pytest.mark.parametrize("name", EVERY)
def test_an_exhausted_searcher_stays_exhausted_whatever_it_is_told(name: str) -> None:
    search = EVERY[name].start(FINITE, GOALS, 0)
    found = converse(search)
    assert len({identity(configuration) for configuration in found}) == len(found) == 8
    search.tell(7, None)
    assert search.ask() is None


@pytest.mark.parametrize("name", ADAPTIVE)
def test_an_adaptive_searcher_learns(name: str) -> None:
    """It learns from what it is told itself, and from an earlier sweep."""
    searcher = dataclasses.replace(EVERY[name], num_trials=16 if name == "gp" else 40)
    seeds = range(1 if name == "gp" else 3)  # gp is slow
    drawn = drain(Random(num_trials=24).start(CONTINUOUS, GOALS, 0))
    alone = [converse(searcher.start(CONTINUOUS, GOALS, seed)) for seed in seeds]
    assert fmean(waste(one) for found in alone for one in found[len(found) // 2 :]) < 0.8 * fmean(map(waste, drawn))
    warm = [searcher.start(CONTINUOUS, GOALS, seed) for seed in seeds]
    for search, configuration in itertools.product(warm, drawn):
        told = outcome(configuration)
        assert told is None or search.tell_foreign(configuration, told)
    num_first = 2 if name == "gp" else 6
    first = [asked.configuration for search in warm for asked in itertools.islice(iter(search.ask, None), num_first)]
    assert fmean(map(waste, first)) < 0.8 * fmean(map(waste, drawn))


@pytest.mark.parametrize("name", EVERY)
def test_outcomes_from_another_space_are_of_no_use(name: str) -> None:
    elsewhere = {**drain(Grid().start(CONTINUOUS, GOALS, 0))[0], "steps": 5000}
    told = Told(costs=(1.0, 1.0), spreads=(0.0, 0.0), violations=(0.0,))
    search = EVERY[name].start(CONTINUOUS, GOALS, 0)
    assert not search.tell_foreign(elsewhere, told)
    assert drain(search) == drain(EVERY[name].start(CONTINUOUS, GOALS, 0))


def test_a_sobol_sequence_fills_more_evenly_than_random_draws() -> None:
    only = dataclasses.replace(CONTINUOUS, methods=CONTINUOUS.methods[:1], steps=10)

    def largest_gap(searcher: AbstractSearcher) -> float:
        drawn = [found["method"]["lam"] for found in drain(searcher.start(only, GOALS, 0))]
        places = sorted([0.1, 3.0, *drawn])
        return max(math.log(high / low) for low, high in itertools.pairwise(places))

    assert largest_gap(Sobol(num_trials=32)) < 0.6 * largest_gap(Random(num_trials=32))


def test_a_grid_takes_the_asked_number_of_values_of_each_range() -> None:
    configurations = drain(Grid(num_values=3).start(space(lam=RealRange(0.1, 10, log=True)), GOALS, 0))
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
    assert [found["method"]["bits"] for found in drain(Grid().start(repeated, GOALS, 0))] == [2, 4]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("searched", [CONTINUOUS, FINITE], ids=["continuous", "finite"])
def test_more_random_trials_only_add_to_the_earlier_ones(searched: Space, seed: int) -> None:
    many = drain(Random(num_trials=20).start(searched, GOALS, seed))
    for num_trials in (1, 5, 10):
        few = drain(Random(num_trials=num_trials).start(searched, GOALS, seed))
        assert few == many[: len(few)]


@pytest.mark.parametrize("seed", range(10))
def test_random_configurations_never_repeat(seed: int) -> None:
    drawn = [identity(found) for found in drain(Random(num_trials=8).start(FINITE, GOALS, seed))]
    assert len(set(drawn)) == len(drawn) == 8


def test_random_configurations_depend_on_the_seed() -> None:
    searcher = Random(num_trials=5)
    assert drain(searcher.start(CONTINUOUS, GOALS, 0)) != drain(searcher.start(CONTINUOUS, GOALS, 1))


def test_random_configurations_are_those_of_every_machine() -> None:
    drawn = [(found["method"], found["steps"]) for found in drain(Random(num_trials=3).start(CONTINUOUS, GOALS, 0))]
    assert drawn == [
        ({"name": "ptq", "bits": 4}, 339),
        ({"name": "ptq", "bits": 4}, 29),
        ({"name": "epr", "lam": 0.115518}, 807),
    ]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("grid", {"num_values": 0}, "num_values is 0: wanted a whole number of at least 1 and at most 20000"),
        ("random", {"num_trials": 2.5}, "num_trials is 2.5: wanted a whole number of at least 1 and at most 20000"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as error:
        SEARCHERS[name](**settings)
    assert str(error.value) == message
