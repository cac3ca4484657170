"""Reads a range-coder stream with compiled code: symbols under frequency tables, and matrices under the model.

A stream is what ``coder.Encoder`` wrote. The reader knows from its own numbers how many words that are; any other
number is damage.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from trainers.coding.bytestream import RfzError
from trainers.coding.coder import cumulative_probabilities
from trainers.coding.compiled.position import IS_BROKEN, LOWER, POINT, RANGE, TAKEN
from trainers.coding.compiled.range_reader import Port
from trainers.coding.deadline import unlimited
from trainers.coding.machine_code import Packed, call
from trainers.coding.model import Ints, Model, Shape

T = TypeVar("T")

_CERTAIN = np.uint64(2**64 - 1)
_NUM_STARTS, _MANY = 4097, 1 << 13
"""The size of an index of symbols, and the number of symbols from which on it pays."""


class StreamReader:
    """Reads what ``Encoder`` wrote, in the same order with the same frequencies and model."""

    def __init__(self, stream: bytes, check: Callable[[], None] = unlimited) -> None:
        """``check`` is called before each piece is read; what it raises ends the reading."""
        if len(stream) % 4:
            raise RfzError(f"the coded stream is malformed: {len(stream)} bytes are no whole number of 32-bit words")
        self._words = np.frombuffer(stream, "<u4").astype(np.uint32)
        self._check, self._used = check, False
        first = np.zeros(2, np.uint64)
        first[: len(self._words)] = self._words[:2]
        self._position = np.zeros(5, np.uint64)
        self._position[[RANGE, POINT, TAKEN]] = _CERTAIN, (first[0] << np.uint64(32)) | first[1], 2
        self._port = Packed(Port(np.zeros(0, np.uint8), np.zeros(0, np.uint16), self._words, self._position))

    @property
    def information_bits(self) -> float:
        """-log2 p of all that was read so far."""
        return 32 * int(self._position[TAKEN]) - math.log2(int(self._position[RANGE]))

    def decode(self, counts: npt.NDArray[np.int64], num_symbols: int, /) -> npt.NDArray[np.int32]:
        """The next ``num_symbols`` indices into ``counts`` (k,).

        Raises:
            RfzError: the stream is not one that these frequencies can have written.
        """
        self._check()
        indices = np.zeros(num_symbols, np.int32)
        if len(counts) > 1 and num_symbols:
            self._used = True
            cumulative = cumulative_probabilities(counts).astype(np.uint32)
            starts = np.zeros(_NUM_STARTS if num_symbols > _MANY else 0, np.int32)
            call("read_symbols", cumulative, starts, indices, self._port)
            self._check_whole()
        return indices

    def read_bit(self, ones: int) -> int:
        """The next bit, whose probability of a one is (2 ``ones`` + 1) / 2^17; raises what ``decode`` raises."""
        self._used = True
        bit = call("read_bit", ones, self._port)
        self._check_whole()
        return bit

    def read_matrix(self, model: Model, num_rows: int, num_columns: int, shape: Shape) -> Ints:
        """The next matrix (rows, columns); raises what ``decode`` raises."""
        return self.read_values(lambda port, check: model.read(num_rows, num_columns, shape, port, check))

    def read_values(self, code: Callable[[Packed, Callable[[], None]], T]) -> T:
        """Let ``code`` read from the port; it is given what it calls before each piece. Raises as ``decode``."""
        self._check()
        self._used = True
        found = code(self._port, self._check)
        self._check_whole()
        return found

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            RfzError: the stream is longer than its symbols.
        """
        wanted = 0
        if self._used:  # the encoder ends with a word, and a zero where that word alone would leave its interval
            lower, width = int(self._position[LOWER]), int(self._position[RANGE])
            last, end = (((lower + offset) % (1 << 64)) >> 32 for offset in ((1 << 32) - 1, width))
            wanted = int(self._position[TAKEN]) - 2 + (2 if last == end else 1)
        if len(self._words) != wanted:
            problem = "data is left over after the last symbol" if len(self._words) > wanted else "its end is missing"
            raise RfzError(f"the coded stream is damaged: {problem}")

    def _check_whole(self) -> None:
        if not len(self._words):
            raise RfzError("the coded stream is empty where symbols should be")
        if self._position[TAKEN] > len(self._words) + 1:
            raise RfzError("the coded stream is damaged: it is shorter than its symbols")
        if self._position[IS_BROKEN]:
            raise RfzError("the coded stream is damaged: no symbol is coded as it says")
