"""Static frequency tables: exact integer counts of the symbols of one or more tensors, and their compact form.

A table is stored without its length: its counts sum to the number of values, which the shapes of the tensors tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainers.coding.bytestream import Reader, RfzError, put_varint, unzigzag, zigzag
from trainers.coding.compiled.symbols import NUM_COUNTERS
from trainers.coding.machine_code import call

MAX_SYMBOLS = 1 << 16
"""The most distinct symbols of one table.

The coder has 24 bits of probability; beyond this a table costs more than it saves.
"""

_DENSE_RANGE = 1 << 20
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A frequency table: ``symbols`` (k,) int32, ascending, distinct, and their ``counts`` (k,) int64, positive."""

    symbols: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def index(self, values: npt.NDArray[np.int32], /) -> npt.NDArray[np.int32]:
        """Positions in ``symbols`` of ``values`` (n,), all of which occur in the table."""
        if not len(self.symbols):
            return np.zeros(0, np.int32)
        first, num_possible = self.symbols[0], self._num_possible
        positions: npt.NDArray[np.int32]
        if num_possible == len(self.symbols):
            positions = values - first
        elif num_possible <= _DENSE_RANGE:
            position_at = np.zeros(num_possible, np.int32)
            position_at[self.symbols - first] = np.arange(len(self.symbols), dtype=np.int32)
            positions = np.empty(len(values), np.int32)
            call("look_up", np.ascontiguousarray(values), first, position_at, positions)
        else:
            positions = np.searchsorted(self.symbols, values).astype(np.int32)
        return positions

    def values(self, positions: npt.NDArray[np.int32], /) -> npt.NDArray[np.int32]:
        """The inverse of ``index``; ``positions`` (n,) may be written to."""
        if len(self.symbols) > 0 and self._num_possible == len(self.symbols):  # adding beats looking up
            positions += self.symbols[0]
            return positions
        return self.symbols[positions]

    @property
    def _num_possible(self) -> int:
        return int(self.symbols[-1]) - int(self.symbols[0]) + 1


def count(tensors: Sequence[npt.NDArray[np.int32]], /) -> Table:
    """Count all values of ``tensors`` in one table.

    Raises:
        ValueError: more than ``MAX_SYMBOLS`` distinct values.
    """
    flat = [tensor.ravel() for tensor in tensors if tensor.size]
    if not flat:
        return Table(symbols=np.zeros(0, np.int32), counts=np.zeros(0, np.int64))
    low, high = min(int(part.min()) for part in flat), max(int(part.max()) for part in flat)
    if high - low < _DENSE_RANGE:  # counting beats sorting, and quantised networks have small ranges
        dense = count_from(flat, low, high - low + 1)
        present = np.flatnonzero(dense)
        symbols, counts = (present + low).astype(np.int32), dense[present]
    else:
        symbols, counts = np.unique(np.concatenate(flat), return_counts=True)
    if len(symbols) > MAX_SYMBOLS:
        raise ValueError(
            f"cannot code {len(symbols)} distinct integers with one table, at most {MAX_SYMBOLS}: use a coarser step"
        )
    return Table(symbols=symbols, counts=counts.astype(np.int64))


def count_from(parts: Sequence[npt.NDArray[np.int32]], low: int, num_possible: int) -> npt.NDArray[np.int64]:
    """How often (num_possible,) each integer from ``low`` on occurs in ``parts`` (n,), which have no other."""
    counts = np.zeros((NUM_COUNTERS, num_possible), np.int64)
    for part in parts:
        call("count", np.ascontiguousarray(part), low, counts)
    found: npt.NDArray[np.int64] = counts.sum(axis=0)
    return found


def write_table(out: bytearray, table: Table, /) -> None:
    """Append the first symbol, then one count for each next symbol; after a zero count, how many symbols to skip."""
    if not len(table.symbols):
        return
    put_varint(out, zigzag(int(table.symbols[0])))
    expected = int(table.symbols[0])
    for symbol, frequency in zip(table.symbols.tolist(), table.counts.tolist(), strict=True):
        if symbol != expected:
            put_varint(out, 0)
            put_varint(out, symbol - expected)
        put_varint(out, frequency)
        expected = symbol + 1


def read_table(reader: Reader, total: int, /) -> Table:
    """Read what ``write_table`` wrote, for a table of ``total`` values.

    Raises:
        RfzError: the counts do not sum to ``total``, or a symbol is out of range.
    """
    symbols: list[int] = []
    counts: list[int] = []
    remaining = total
    symbol = unzigzag(reader.varint()) if total else 0
    while remaining:
        frequency = reader.varint()
        if frequency == 0:
            skipped = reader.varint()
            if skipped == 0 or not symbols:
                raise RfzError("a frequency table is malformed: it skips no symbol, or starts with a skip")
            symbol += skipped
            frequency = reader.varint()
        if not 0 < frequency <= remaining or not _INT32.min <= symbol <= _INT32.max or len(symbols) == MAX_SYMBOLS:
            raise RfzError(
                f"a frequency table is malformed: {total} values cannot have count {frequency} of symbol {symbol}"
            )
        symbols.append(symbol)
        counts.append(frequency)
        remaining -= frequency
        symbol += 1
    return Table(symbols=np.array(symbols, np.int32), counts=np.array(counts, np.int64))
