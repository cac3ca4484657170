"""Variable-length integers and frequency tables are read as written, and malformed ones are refused."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainers.coding import tables
from trainers.coding.bytestream import Reader, RfzError, put_bytes, put_varint, unzigzag, zigzag

INT32 = np.iinfo(np.int32)

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
anything = st.integers(-3, 3) | st.integers(INT32.min, INT32.max) | st.sampled_from([INT32.min, INT32.max, 0])
fast = settings(max_examples=150, deadline=None)


def varint(value: int) -> bytes:
    out = bytearray()
    put_varint(out, value)
    return bytes(out)


@given(st.integers(0, 2**63 - 1))
@fast
def test_a_varint_is_read_as_it_was_written(value: int) -> None:
    reader = Reader(varint(value) + b"rest")
    assert reader.varint() == value
    assert reader.remaining == 4
    assert len(varint(value)) == max(1, math.ceil(value.bit_length() / 7))


@given(st.integers(-(2**62), 2**62))
@fast
def test_zigzag_is_a_bijection_that_keeps_magnitudes_small(value: int) -> None:
    assert unzigzag(zigzag(value)) == value
    assert 0 <= zigzag(value) <= 2 * abs(value)
    assert zigzag(unzigzag(abs(value))) == abs(value)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 8, b"\xff" * 9, b"\xff" * 40])
def test_an_unfinished_or_endless_varint_is_refused(data: bytes) -> None:
    with pytest.raises(RfzError, match="malformed"):
        Reader(data).varint()


def test_a_text_longer_than_allowed_or_than_the_file_is_refused() -> None:
    out = bytearray()
    put_bytes(out, b"abc")
    assert Reader(bytes(out)).prefixed_bytes(at_most=3) == b"abc"
    with pytest.raises(RfzError, match="at most 2"):
        Reader(bytes(out)).prefixed_bytes(at_most=2)
    with pytest.raises(RfzError, match="3 bytes wanted where 2 are left"):
        Reader(bytes(out[:-1])).prefixed_bytes(at_most=3)


@given(st.lists(hnp.arrays(np.int32, shapes, elements=anything), max_size=4))
@fast
def test_a_table_is_read_as_it_was_written(tensors: list[npt.NDArray[np.int32]]) -> None:
    table = tables.count(tensors)
    values = np.concatenate([tensor.ravel() for tensor in tensors] or [np.zeros(0, np.int32)])
    assert table.total == len(values)
    np.testing.assert_array_equal(table.symbols, np.unique(values), strict=True)
    assert (table.counts > 0).all()
    if len(values):
        np.testing.assert_array_equal(table.symbols[table.index(values)], values, strict=True)
    out = bytearray()
    tables.write_table(out, table)
    reader = Reader(bytes(out))
    again = tables.read_table(reader, table.total)
    assert reader.remaining == 0
    np.testing.assert_array_equal(again.symbols, table.symbols, strict=True)
    np.testing.assert_array_equal(again.counts, table.counts, strict=True)


def table_bytes(values: list[int]) -> bytes:
    out = bytearray()
    tables.write_table(out, tables.count([np.array(values, np.int32)]))
    return bytes(out)


def test_a_table_is_compact() -> None:
    assert table_bytes([]) == b""
    assert table_bytes([0] * 100) == bytes([zigzag(0), 100])
    assert table_bytes([-1, 0, 0, 1]) == bytes([zigzag(-1), 1, 2, 1])
    assert table_bytes([-1, 5]) == bytes([zigzag(-1), 1, 0, 5, 1]), "a gap is a zero and its length"


@pytest.mark.parametrize(
    ("data", "total"),
    [
        (b"", 1),
        (bytes([0, 3]), 2),  # more than there are
        (bytes([0, 1]), 2),  # fewer than there are
        (bytes([0, 0, 0, 2]), 2),  # skips nothing
        (bytes([0, 0, 3, 2]), 2),  # starts with a skip
        (bytes([0, 1, 0, 1, 0, 1]), 2),  # nothing after a skip
        (varint(zigzag(INT32.max)) + bytes([1, 1]), 2),  # beyond int32
        (varint(zigzag(2**40)) + bytes([1]), 1),
        (bytes([0, 1, 0]) + varint(2**62) + bytes([1]), 2),
        (bytes([0]) + varint(2**62), 2**28),
    ],
)
def test_a_malformed_table_is_refused(data: bytes, total: int) -> None:
    with pytest.raises(RfzError, match="malformed"):
        tables.read_table(Reader(data), total)


@pytest.mark.parametrize("step", [1, 40_000])  # counted and sorted
def test_more_symbols_than_a_table_may_have_are_refused(step: int) -> None:
    allowed = np.arange(tables.MAX_SYMBOLS, dtype=np.int32) * np.int32(step // 2 or 1)
    assert len(tables.count([allowed]).symbols) == tables.MAX_SYMBOLS
    values = (np.arange(tables.MAX_SYMBOLS + 1, dtype=np.int64) * (step // 2 or 1)).astype(np.int32)
    with pytest.raises(ValueError, match="cannot code 65537 distinct integers with one table, at most 65536"):
        tables.count([values])
    with pytest.raises(RfzError, match="malformed"):
        tables.read_table(Reader(bytes([0]) + b"\1" * (tables.MAX_SYMBOLS + 1)), tables.MAX_SYMBOLS + 1)
