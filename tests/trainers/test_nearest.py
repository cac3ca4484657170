"""Errors say what a name may have meant."""

from __future__ import annotations

from trainers.nearest import nearest


def test_the_nearest_name_is_offered_else_all_by_alphabet() -> None:
    assert nearest("digts", ["mnist", "digits"]) == "; did you mean 'digits'?"
    assert nearest("xyz", ["mnist", "digits"]) == "; valid: digits, mnist"
    assert nearest("xyz", []) == "; valid: none"


def test_names_that_have_an_order_keep_it() -> None:
    assert nearest("digit", ["mnist", "digits"], in_order=True) == "; did you mean 'digits'?"
    assert nearest("?", ["mnist", "digits"], in_order=True) == "; valid: mnist, digits"
    assert nearest("?", [], in_order=True) == "; valid: none"
