"""Settings by patterns of tensor names are checked, and the first pattern that fits counts."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest

from trainers import checks
from trainers.methods.parts.tensor_settings import check, check_counts, check_fits, first_fit

NAMES = ["grids.0", "grids.1", "mix.weight", "mix.bias"]
positive = functools.partial(checks.number, low=0, above=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "tensors is 3: wanted settings by patterns of tensor names, such as {'*.bias': {'step': ...}}"),
        ({"grids.*": 0.1}, "tensors: 'grids.*' is 0.1: wanted a pattern of tensor names and its settings, such as"),
        ({"grids.*": {}}, "tensors: 'grids.*' is {}: wanted a pattern of tensor names and its settings, such as"),
        ({7: {"step": 1}}, "tensors: 7 is {'step': 1}: wanted a pattern of tensor names and its settings, such as"),
        ({"grids.*": {"stp": 0.1}}, "tensors: 'grids.*' has no setting 'stp'; did you mean 'step'?"),
        ({"grids.*": {3: 0.1}}, "tensors: 'grids.*' has no setting 3; valid: learning_rate, step"),
        ({"grids.*": {"step": 0}}, "tensors: 'grids.*': step is 0: wanted a number above 0"),
        ({"grids.*": {"step": "fine"}}, "tensors: 'grids.*': step is 'fine': wanted a number above 0"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_told_in_one_line(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        check(given, step=positive, learning_rate=positive)
    assert "\n" not in str(error.value)


def test_right_settings_and_none_at_all_pass() -> None:
    check({"grids.*": {"step": 0.05, "learning_rate": 0.01}, "*": {"step": 1}}, step=positive, learning_rate=positive)
    check({}, step=positive)


def test_the_first_pattern_that_fits_counts() -> None:
    patterns = {"grids.0": "first", "grids.*": "grids", "*.BIAS": "never: case counts"}
    assert [first_fit(patterns, name, "rest") for name in NAMES] == ["first", "grids", "rest", "rest"]


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    check_fits("groups", ["grids.*", "*"], NAMES)
    for refuse in (check_fits, check_counts):
        with pytest.raises(ValueError, match=r"tensors: 'grid\.\*' fits none of the network's tensors: grids\.0, gri"):
            refuse("tensors", ["*", "grid.*"], NAMES)


def test_a_long_network_is_not_listed_whole() -> None:
    with pytest.raises(ValueError, match=re.escape("tensors: 0, 1, 2, 3, 4, 5, 6, 7, ...") + "$"):
        check_fits("tensors", ["x"], [str(number) for number in range(100)])


def test_a_pattern_that_never_counts_is_refused() -> None:
    check_counts("tensors", ["grids.0", "grids.*", "*"], NAMES)
    message = (
        r"tensors: 'grids\.\*' never counts, because patterns before it fit all that it fits \(grids\.0, grids\.1\)"
    )
    with pytest.raises(ValueError, match=message):
        check_counts("tensors", ["*", "grids.*"], NAMES)
