"""The compiled reader of range-coder streams agrees with constriction's own, word for word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainers.coding.bytestream import RfzError
from trainers.coding.coder import Decoder, Encoder
from trainers.coding.stream import StreamReader

ODDS = st.sampled_from([0, 1, 2, 100, 1 << 15, (1 << 16) - 2, (1 << 16) - 1]) | st.integers(0, (1 << 16) - 1)
PARTS = st.lists(
    st.tuples(st.just("bits"), st.lists(st.tuples(ODDS, st.integers(0, 1)), max_size=80))
    | st.tuples(
        st.just("symbols"),
        st.integers(2, 9).flatmap(
            lambda k: st.tuples(
                st.lists(st.integers(1, 10**6), min_size=k, max_size=k),
                st.lists(st.integers(0, k - 1), max_size=40),
            )
        ),
    ),
    max_size=5,
)


def encoded(parts: list[Any]) -> bytes:
    encoder = Encoder()
    for kind, content in parts:
        if kind == "bits":
            ones, bits = (np.array([one[index] for one in content], np.int64) for index in (0, 1))
            encoder.encode_bits(bits, ones)
        else:
            counts, symbols = content
            encoder.encode(np.array(symbols, np.int32), np.array(counts))
    return encoder.finish()


def check(parts: list[Any]) -> None:
    stream = encoded(parts)
    reader = StreamReader(stream)
    for kind, content in parts:
        if kind == "bits":
            assert [reader.read_bit(ones) for ones, _ in content] == [bit for _, bit in content]
        else:
            counts, symbols = content
            assert reader.decode(np.array(counts), len(symbols)).tolist() == symbols
    reader.finish()
    if stream:
        longer = StreamReader(stream + bytes(4))
        for kind, content in parts:
            if kind == "bits":
                assert [longer.read_bit(ones) for ones, _ in content] == [bit for _, bit in content]
            else:
                longer.decode(np.array(content[0]), len(content[1]))
        with pytest.raises(RfzError, match="data is left over"):
            longer.finish()


@given(PARTS)
@example([("bits", [(0, 1)] * 40)])
@example([("bits", [((1 << 16) - 1, 0)] * 40)])
@settings(max_examples=200, deadline=None)
def test_what_constriction_wrote_is_read(parts: list[Any]) -> None:
    check(parts)


def test_a_long_stream_is_read() -> None:
    generator = np.random.default_rng(0)
    ones = generator.integers(0, 1 << 16, 300_000)
    bits = (generator.integers(0, 1 << 16, len(ones)) < ones).astype(np.int64)
    counts = generator.integers(1, 10**7, 5000)
    symbols = generator.integers(0, 5000, 50_000).astype(np.int32)
    encoder = Encoder()
    encoder.encode(symbols, counts)
    encoder.encode_bits(bits, ones)
    stream = encoder.finish()
    reader = StreamReader(stream)
    assert np.array_equal(reader.decode(counts, len(symbols)), symbols)
    assert [reader.read_bit(int(one)) for one in ones[:5000]] == bits[:5000].tolist()
    with pytest.raises(RfzError, match="data is left over"):
        reader.finish()


@given(st.binary(min_size=4, max_size=64), st.lists(ODDS, min_size=1, max_size=200))
@settings(max_examples=200, deadline=None)
def test_of_any_words_both_read_the_same_until_one_refuses(words: bytes, odds: list[int]) -> None:
    """Constriction goes on beyond the end of a stream; the reader stops after one word that is not there."""
    stream = words[: len(words) // 4 * 4]
    reader, other = StreamReader(stream), Decoder(stream)
    for ones in odds:
        try:
            found = reader.read_bit(ones)
        except RfzError:
            return
        assert found == int(other.decode_bits(np.array([ones]))[0])


def test_a_stream_that_is_too_short_or_too_long_is_refused() -> None:
    counts = np.array([1, 1, 1])
    stream = encoded([("symbols", ([1, 1, 1], [0, 1, 2] * 40))])
    for longer in (stream + bytes(4), stream + b"\1\2\3\4" * 4):
        reader = StreamReader(longer)
        reader.decode(counts, 120)
        with pytest.raises(RfzError, match="left over"):
            reader.finish()
    with pytest.raises(RfzError, match="it is shorter than its symbols"):
        StreamReader(stream[:-8]).decode(counts, 120)
    with pytest.raises(RfzError, match="empty where symbols should be"):
        StreamReader(b"").decode(counts, 1)
    for unread in (b"\0\0\0\0", b"\xff" * 8):
        with pytest.raises(RfzError, match="left over"):
            StreamReader(unread).finish()
    with pytest.raises(RfzError, match="no whole number of 32-bit words"):
        StreamReader(b"\0\0\0")


def test_a_quantile_that_no_symbol_has_is_refused() -> None:
    """The state says 2^24 or more, which is beyond the last symbol: no encoder leaves that."""
    with pytest.raises(RfzError, match="no symbol is coded as it says"):
        StreamReader(b"\xff" * 8).decode(np.array([1, 1]), 1)
    with pytest.raises(RfzError, match="no symbol is coded as it says"):
        StreamReader(b"\xff" * 8).read_bit(1 << 15)
