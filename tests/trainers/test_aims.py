"""The sizes that may stand in place of a rate knob's value."""

from __future__ import annotations

import re
from typing import Any

import pytest

from trainers.aims import Aim
from trainers.config import Spec


def test_an_aim_is_a_size_or_bits_for_each_parameter() -> None:
    given = [{"size": "2kB"}, {"size": 812}, {"size": 812.9}, {"bits_per_parameter": 0.5}]
    assert [aim.max_bytes(1000) for aim in (Aim.of("lam", one) for one in given) if aim] == [2000, 812, 812, 62]


@pytest.mark.parametrize("value", [0.5, {"path": [1, 2]}, {"lam": 3}, "2kB"])
def test_what_says_no_size_is_no_aim(value: Any) -> None:
    assert Aim.of("lam", value) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"size": "two"}, "lam: got size 'two': wanted bytes such as 812, 10kB or 1.5MB (1 kB = 1000 bytes)"),
        ({"size": 0}, "lam: size is 0: wanted a number of at least 1"),
        ({"size": True}, "lam: size is True: wanted a number of at least 1"),
        ({"bits_per_parameter": 0}, "lam: bits_per_parameter is 0: wanted a number above 0"),
        ({"size": "2kB", "path": [1, 2]}, "wanted {size: 2kB} or {bits_per_parameter: 0.5} alone"),
    ],
    ids=str,
)
def test_a_wrong_aim_is_told(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Aim.of("lam", value)


def test_labels_show_an_aim() -> None:
    assert str(Spec(name="epr", arguments={"lam": {"size": "2kB"}})) == "epr(lam=size(2kB))"
    assert str(Spec(name="epr", arguments={"lam": {"bits_per_parameter": 0.5}})) == "epr(lam=bits_per_parameter(0.5))"
