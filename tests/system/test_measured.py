"""The tables in docs/ agree with results/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.measured import PAGES, with_tables

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_there_is_a_page() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tables_are_what_results_give(page: Path) -> None:
    text = page.read_text()
    assert with_tables(text) == text
