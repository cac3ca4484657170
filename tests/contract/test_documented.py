"""All that is registered has a row in docs/methods.md, and every method is in the recipes that compare all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.contract import taken
from trainers.methods import METHODS
from trainers.modifiers import MODIFIERS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", [*METHODS, *MODIFIERS])
def test_it_has_a_row_in_the_tables_of_methods_and_modifiers(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", (ROOT / "docs/methods.md").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("name", METHODS)
def test_the_cost_of_a_method_is_the_one_that_was_measured(name: str) -> None:
    row = re.search(rf"^\| `{name}` \|.*$", (ROOT / "docs/methods.md").read_text(), flags=re.MULTILINE)
    assert row is not None
    measured = re.match(r"[0-9.]+", row[0].split(" | ")[3])
    assert measured is not None
    assert float(measured[0]) == METHODS[name].cost


@pytest.mark.parametrize("recipe", ["methods_digits", "methods_mnist"])
def test_recipes_that_compare_all_methods_have_every_method(recipe: str) -> None:
    document = yaml.safe_load((ROOT / f"orchestrator/sweep/recipes/{recipe}.yaml").read_text())
    assert sorted({method["name"] for method in document["method"]}) == sorted(METHODS)


def test_the_table_of_what_networks_may_hold_is_the_one_that_the_tests_hold() -> None:
    assert taken.with_table(page := taken.PAGE.read_text()) == page
    assert "<!-- tests/contract/taken.py -->" in page
