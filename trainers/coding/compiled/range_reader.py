"""Reads the range-coder streams that constriction writes, and is the port through which bits are coded.

References:
    Bamler 2022, "Understanding entropy coding with asymmetric numeral systems (ANS): a statistician's perspective",
    arXiv:2201.01741, and constriction 0.5, ``RangeDecoder`` with 32-bit words and a 64-bit state.
"""

from __future__ import annotations

from typing import NamedTuple

from .arithmetic import Array
from .jit import compiled, int64, uint64
from .position import IS_BROKEN, LOWER, POINT, RANGE, TAKEN

_WHOLE = 1 << 24
"""Stands for probability 1."""


class Port(NamedTuple):
    """Where bits come from or go to."""

    bits: Array
    """Room for bits (n,) uint8, where they are noted; empty when reading."""
    probabilities: Array
    """Room for their probabilities of a one (n,) uint16: (2 x + 1) / 2^17."""
    words: Array
    """The stream (w,) uint32, when reading."""
    position: Array
    """(5,) uint64: see position.py. When noting, ``TAKEN`` counts bits."""


@compiled
def code_bit(bit: int, ones: int, port: Port) -> int:
    """Note ``bit`` and its probability of a one; or read a bit, and return it."""
    if len(port.bits):
        taken = port.position[TAKEN]
        port.bits[taken], port.probabilities[taken] = bit, ones
        port.position[TAKEN] = taken + uint64(1)
        return bit
    return read_bit(ones, port)


@compiled
def read_bit(ones: int, port: Port) -> int:
    """The next bit, whose probability of a one is (2 ``ones`` + 1) / 2^17."""
    position = port.position
    scale = position[RANGE] >> uint64(24)
    zero = uint64(((((1 << 17) - (2 * ones + 1)) * (_WHOLE - 2)) >> 17) + 1)
    below = scale * zero
    offset = position[POINT] - position[LOWER]
    bit = int64(offset >= below)
    if bit:
        position[LOWER] += below
        if offset >= scale << uint64(24):
            position[IS_BROKEN] = uint64(1)
        below = scale * (uint64(_WHOLE) - zero)
    position[RANGE] = below
    if below < uint64(1 << 32):
        _take_word(port.words, position)
    return bit


@compiled
def read_symbols(cumulative: Array, starts: Array, symbols: Array, port: Port) -> None:
    """Fill ``symbols`` (n,); their ``cumulative`` probabilities (k + 1,) uint32 begin at 0 and end at 2^24.

    ``starts`` (4097,) int32 is room for an index, which pays for many symbols; or empty.
    """
    last, position = len(cumulative) - 2, port.position
    if len(starts):
        _fill_starts(cumulative, starts)
    for number in range(len(symbols)):
        scale = position[RANGE] >> uint64(24)
        quantile = int64((position[POINT] - position[LOWER]) // scale)
        if quantile >= _WHOLE:
            position[IS_BROKEN] = uint64(1)
            return
        low, high = int64(0), int64(last)
        if len(starts):
            low, high = int64(starts[quantile >> 12]), int64(starts[(quantile >> 12) + 1])
        while low < high:
            middle = (low + high + 1) >> 1
            if cumulative[middle] <= quantile:
                low = middle
            else:
                high = middle - 1
        symbols[number] = low
        left = uint64(cumulative[low])
        position[LOWER] += scale * left
        position[RANGE] = scale * (uint64(cumulative[low + 1]) - left)
        if position[RANGE] < uint64(1 << 32):
            _take_word(port.words, position)


@compiled
def _fill_starts(cumulative: Array, starts: Array) -> None:
    """Find the symbol in which each 2^12 of 2^24 begin; the last symbol for the end."""
    symbol, last = int64(0), len(cumulative) - 2
    for start in range(len(starts)):
        while symbol < last and cumulative[symbol + 1] <= start << 12:
            symbol += 1
        starts[start] = symbol


@compiled
def _take_word(words: Array, position: Array) -> None:
    """Go on by one word; one zero may follow the stream's last word, and no more."""
    position[LOWER] <<= uint64(32)
    position[RANGE] <<= uint64(32)
    position[POINT] <<= uint64(32)
    if position[TAKEN] < uint64(len(words)):
        position[POINT] |= uint64(words[position[TAKEN]])
    position[TAKEN] += uint64(1)
    if position[TAKEN] > uint64(len(words) + 1):
        position[IS_BROKEN] = uint64(1)
