"""Plain data as bytes: what JSON can hold comes back as it was, and each value has one encoding."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.coding import plaindata
from trainers.coding.bytestream import RfzError

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-20, 200),
    st.integers(),
    st.integers(-(2**900), 2**900),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
keys = st.one_of(st.sampled_from(["input_shape", "num_outputs", "hidden", ""]), st.text(max_size=8))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)
arguments = st.dictionaries(keys, values, max_size=4)
fast = settings(max_examples=150, deadline=None)


def same(left: Any, right: Any) -> bool:
    """Whether both are equal and of equal types: 1, 1.0 and True differ, so do 0.0 and -0.0; keys have no order."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@given(arguments)
@fast
def test_what_was_written_is_read(value: dict[str, Any]) -> None:
    data = plaindata.encode(value)
    assert same(plaindata.decode(data), value)
    assert plaindata.encode(plaindata.decode(data)) == data


@given(arguments, st.randoms(use_true_random=False))
@fast
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], rng: Any) -> None:
    shuffled = list(value.items())
    rng.shuffle(shuffled)
    assert plaindata.encode(dict(shuffled)) == plaindata.encode(value)


@given(arguments, arguments)
@fast
def test_different_values_have_different_bytes(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert (plaindata.encode(left) == plaindata.encode(right)) == same(left, right)


@given(arguments)
@fast
def test_it_is_hardly_longer_than_json(value: dict[str, Any]) -> None:
    """A decimal of 16 or more characters may take one byte more."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    assert len(plaindata.encode(value)) <= len(text.encode()) + text.count(".")


@given(st.binary(max_size=60))
@fast
def test_other_bytes_are_refused_or_are_the_one_encoding_of_what_they_decode_to(data: bytes) -> None:
    try:
        value = plaindata.decode(data)
    except RfzError:
        return
    assert plaindata.encode(value) == data


def test_arguments_of_a_usual_network_are_lean() -> None:
    value = {"hidden": [64], "input_shape": [1, 8, 8], "num_outputs": 10}
    assert plaindata.encode(value) == (
        b"\x08hidden" + bytes([4 + 8 * 1]) + b"\x80\x04" + b"\0" + bytes([4 + 8 * 3, 8, 64, 64]) + b"\1" + b"\x50"
    )
    assert plaindata.encode({}) == b""
    assert plaindata.decode(b"") == {}


def test_tuples_and_numbers_of_numpy_are_lists_and_numbers() -> None:
    found = plaindata.decode(plaindata.encode({"x": (1, (2.5,)), "y": np.float64(0.1)}))
    assert found == {"x": [1, [2.5]], "y": 0.1}
    assert type(found["y"]) is float


@pytest.mark.parametrize("value", [0, 15, 16, -1, 2**60, -(2**60) - 1, 2**63, 10**4080, -(10**4080)])
def test_integers_of_any_size_come_back(value: int) -> None:
    assert plaindata.decode(plaindata.encode({"x": value})) == {"x": value}


@pytest.mark.parametrize("levels", range(12))
@pytest.mark.parametrize("kind", [list, dict])
def test_nesting_is_bounded(kind: type, levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value] if kind is list else {"x": value}
    if levels < plaindata.MAX_NESTING:
        assert plaindata.decode(plaindata.encode({"x": value})) == {"x": value}
    else:
        with pytest.raises(ValueError, match="they nest deeper than 8"):
            plaindata.encode({"x": value})


def test_a_list_in_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match="they nest deeper than 8"):
        plaindata.encode({"x": value})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"x": math.nan}, "nan is not finite"),
        ({"x": [math.inf]}, "inf is not finite"),
        ({"x": {1: 2}}, "key 1 is int, wanted text"),
        ({"x": {1, 2}}, "a value is set, wanted what JSON has"),
        ({"x": b"y"}, "a value is bytes, wanted what JSON has"),
        ({"x": np.int64(3)}, "a value is int64, wanted what JSON has"),
        ({"x": 1 << 14_000}, "an integer has more than 14000 bits"),
        ({"x": "\ud800"}, "surrogates not allowed"),
        ({"\ud800": 1}, "surrogates not allowed"),
    ],
)
def test_what_json_does_not_have_is_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plaindata.encode(value)
