"""Errors say what a name may have meant."""

from __future__ import annotations

import pytest

from analysis.names import nearest
from trainers import lookup


def test_the_nearest_name_or_all_are_given() -> None:
    assert nearest("digit", ["mnist", "digits"]) == "; did you mean 'digits'?"
    assert nearest("?", ["mnist", "digits"]) == "; valid: mnist, digits"
    assert nearest("?", []) == "; valid: none"


@pytest.mark.parametrize("name", ["digit", "?", "MNIST", "mnst"])
def test_it_is_worded_as_everywhere_else(name: str) -> None:
    assert nearest(name, ["digits", "mnist"]) == lookup.nearest(name, ["digits", "mnist"])
