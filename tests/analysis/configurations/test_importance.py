"""Importance of settings, on configurations whose truth is known."""

from __future__ import annotations

import numpy as np
import optuna
import pandas as pd
import pytest

from analysis.configurations.importance import MIN_CONFIGURATIONS, importances, is_logarithmic, top_share

NUM = 200


@pytest.fixture(scope="module")
def settings() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "lam": 10 ** generator.uniform(-2, 1, NUM),
            "rate": generator.uniform(0, 1, NUM),
            "groups": generator.choice(["kind", "layer"], NUM),
            "nothing": generator.uniform(0, 1, NUM),
        }
    )


def test_what_decides_alone_has_nearly_all_of_it(settings: pd.DataFrame) -> None:
    found = importances(settings, -np.log10(settings["lam"]))
    assert next(iter(found)) == "lam"
    assert found["lam"] > 0.9
    assert sum(found.values()) == pytest.approx(1)


def test_a_choice_counts_in_words_as_in_numbers(settings: pd.DataFrame) -> None:
    cost = (settings["groups"] == "kind") + 0.01 * np.random.default_rng(1).uniform(size=NUM)
    in_words = importances(settings, cost)
    assert next(iter(in_words)) == "groups"
    assert in_words["groups"] > 0.5
    in_numbers = settings.assign(groups=(settings["groups"] == "kind") * 2.5)
    assert importances(in_numbers, cost) == pytest.approx(in_words)


def test_values_of_a_grid_weigh_as_much_as_how_often_they_are_among_the_best(settings: pd.DataFrame) -> None:
    """The best tenth has one of four values and lies in the lower two fifths of a range: divergence 3 against 1.5."""
    grid = settings.assign(bits=np.tile([2.0, 4.0, 8.0, 16.0], NUM // 4))
    found = importances(grid, settings["rate"] + 0.3 * (grid["bits"] != 16.0))
    assert found["bits"] < 4 * found["rate"]
    assert min(found["bits"], found["rate"]) > 3 * found["nothing"]


def test_each_objective_has_its_own_and_the_frontier_both(settings: pd.DataFrame) -> None:
    size, loss = -np.log10(settings["lam"]), (settings["rate"] - 0.5) ** 2
    assert importances(settings, size)["lam"] > 0.9
    assert importances(settings, loss)["rate"] > 0.9
    both = importances(settings, np.column_stack([size, loss]))
    assert both["lam"] + both["rate"] > 0.8
    assert min(both["lam"], both["rate"]) > 2 * max(both["groups"], both["nothing"])


def test_equal_costs_say_nothing(settings: pd.DataFrame) -> None:
    assert set(importances(settings, np.ones(NUM)).values()) == {0.0}


def test_few_configurations_are_refused(settings: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="got 19 configurations: wanted at least 20"):
        importances(settings[:19], np.arange(19.0))
    assert importances(settings[:MIN_CONFIGURATIONS], np.arange(float(MIN_CONFIGURATIONS)))


def test_at_least_five_count_as_the_best() -> None:
    assert top_share(20) * 20 == 5
    assert top_share(1000) == 0.1


def test_a_range_of_a_decade_is_logarithmic() -> None:
    assert is_logarithmic(pd.Series([0.1, 1.0]))
    assert not is_logarithmic(pd.Series([0.2, 1.0]))
    assert not is_logarithmic(pd.Series([0.0, 1.0]))


def test_optuna_says_what_it_said_before(settings: pd.DataFrame) -> None:
    before = optuna.logging.get_verbosity()
    importances(settings, settings["rate"])
    assert optuna.logging.get_verbosity() == before
