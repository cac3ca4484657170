"""Ranks at which all factors together have a given number of values."""

from __future__ import annotations

import itertools

import pytest

from trainers.methods.parts.ranks import Ranks, beam_search, full, is_factored, num_values, ranks_at_common_share

SHAPES = {"a": (30, 40), "b": (20, 30), "c": (10, 20), "d": (1, 10), "e": (2, 2)}
LEAST = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 2}
NUM_WHOLE = 1200 + 600 + 200 + 10 + 4


def test_a_weight_is_factored_only_where_that_takes_fewer_values() -> None:
    assert is_factored((30, 40), 17)
    assert not is_factored((30, 40), 18)
    assert not is_factored((2, 2), 1), "as many are no fewer"
    assert not is_factored((1, 10), 1)
    assert not is_factored((0, 10), 1)
    assert num_values({"a": (30, 40)}, {"a": 17}) == 17 * 70
    assert num_values({"a": (30, 40)}, {"a": 18}) == 1200
    assert num_values(SHAPES, full(SHAPES)) == NUM_WHOLE


@pytest.mark.parametrize("ratio", [0.1, 0.2, 0.5, 0.9, 1.0])
def test_a_search_meets_the_ratio_and_wastes_less_than_one_rank(ratio: float) -> None:
    budget = int(ratio * NUM_WHOLE)
    found = beam_search(SHAPES, budget, lambda ranks: float(sum(ranks.values())))
    assert budget - 70 < num_values(SHAPES, found) <= budget
    assert found["d"] == 1
    assert found["e"] == 2, "what cannot be factored stays whole"


def test_a_search_finds_which_layer_can_do_without() -> None:
    def quality(ranks: Ranks) -> float:
        return min(ranks["a"], 5) / 5 + min(ranks["b"], 12) / 12 + min(ranks["c"], 2) / 2

    best = max(
        (quality({**full(SHAPES), "a": a, "b": b, "c": c}), a, b, c)
        for a, b, c in itertools.product(range(1, 31), range(1, 21), range(1, 11))
        if num_values(SHAPES, {**full(SHAPES), "a": a, "b": b, "c": c}) <= 0.51 * NUM_WHOLE
    )
    found = beam_search(SHAPES, int(0.51 * NUM_WHOLE), quality)
    assert quality(found) == best[0] == 3


def test_a_search_asks_about_no_ranks_twice_and_a_bounded_number_of_times() -> None:
    asked: list[tuple[int, ...]] = []

    def quality(ranks: Ranks) -> float:
        asked.append(tuple(ranks.values()))
        return 0.0

    beam_search(SHAPES, int(0.1 * NUM_WHOLE), quality)
    assert len(asked) == len(set(asked)) < 3 * 3 * (16 + 3)


def test_a_ratio_that_is_too_small_leaves_rank_one() -> None:
    assert beam_search(SHAPES, 0, lambda ranks: 0.0) == LEAST
    assert ranks_at_common_share(
        SHAPES, 0, lambda name, share: min(SHAPES[name]) if share == 1 or name in "de" else 0
    ) == {**LEAST}


def test_nothing_is_searched_where_everything_fits() -> None:
    def quality(ranks: Ranks) -> float:
        raise AssertionError

    assert beam_search(SHAPES, NUM_WHOLE, quality) == full(SHAPES)
    assert ranks_at_common_share(SHAPES, NUM_WHOLE, lambda name, share: 100) == full(SHAPES)


def test_the_highest_level_that_fits_is_found() -> None:
    """At share x each rank is x times the full one: a single layer gets as many columns as the budget has."""
    for budget in range(100, 1200, 100):
        found = ranks_at_common_share({"a": (30, 40)}, budget, lambda name, share: int(30 * share))
        assert found["a"] == budget // 70
