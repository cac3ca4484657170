"""One range-coder stream of symbols with integer frequencies. The only file that imports constriction.

Frequencies reach constriction as float64 that hold exact integers, and ``perfect=False`` turns them into 24-bit
probabilities by one multiplication and one truncation each: plain IEEE arithmetic, the same on every machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.coding.bytestream import RfzError
from trainers.coding.deadline import unlimited

_PRECISION_BITS = 24
_SLACK_BITS = 64
"""How many bits a stream may be shorter than the information in it."""


def information_bits(counts: npt.NDArray[np.int64], /) -> npt.NDArray[np.float64]:
    """-log2 p (k,) of each symbol, with the probabilities that the coder uses: none is below 2^-24."""
    num_symbols = len(counts)
    if num_symbols <= 1:  # a certain symbol is not coded
        return np.zeros(num_symbols)
    bits: npt.NDArray[np.float64] = _PRECISION_BITS - np.log2(np.diff(cumulative_probabilities(counts)))
    return bits


def cumulative_probabilities(counts: npt.NDArray[np.int64], /) -> npt.NDArray[np.int64]:
    """The probabilities of all symbols before each (k + 1,), in 2^-24, that the coder makes of ``counts`` (k,)."""
    num_symbols = len(counts)
    cumulative = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    scale = (2.0**_PRECISION_BITS - num_symbols) / cumulative[-1]
    left: npt.NDArray[np.int64] = (np.floor(cumulative * scale) + np.arange(num_symbols + 1)).astype(np.int64)
    left[-1] = 1 << _PRECISION_BITS
    return left


def information_of_bits(bits: npt.NDArray[np.int64], ones: npt.NDArray[np.int64], /) -> float:
    """-log2 p, summed, of ``bits`` with probabilities as ``Encoder.encode_bits`` takes them."""
    odd = 2 * ones + 1
    return float(17 * len(bits) - np.log2(np.where(bits == 1, odd, 2**17 - odd)).sum())


class Encoder:
    """Appends tensors of symbols to one stream."""

    def __init__(self) -> None:
        self._coder = _constriction().stream.queue.RangeEncoder()

    def encode(self, indices: npt.NDArray[np.int32], counts: npt.NDArray[np.int64], /) -> None:
        """Code ``indices`` (n,) into ``counts`` (k,), the frequencies of the k symbols."""
        if len(counts) > 1 and len(indices):
            self._coder.encode(np.ascontiguousarray(indices, np.int32), _model(counts))

    def encode_bits(self, bits: npt.NDArray[np.int64], ones: npt.NDArray[np.int64], /) -> None:
        """Code ``bits`` (n,), each with its probability of a one: (2 ``ones`` + 1) / 2^17, 0 <= ones < 2^16."""
        if len(bits):
            self._coder.encode(bits.astype(np.int32), _bernoulli(), _exact(ones))

    def finish(self) -> bytes:
        """The stream: whole 32-bit words, little-endian."""
        words: bytes = self._coder.get_compressed().astype("<u4").tobytes()
        return words


class Decoder:
    """Reads back what ``Encoder`` wrote, in the same order with the same frequencies."""

    def __init__(self, stream: bytes, check: Callable[[], None] = unlimited) -> None:
        """``check`` is called before each piece is read; what it raises ends the reading."""
        if len(stream) % 4:
            raise RfzError(f"the coded stream is malformed: {len(stream)} bytes are no whole number of 32-bit words")
        self._empty, self._used = not stream, False
        self._check = check
        self._most_bits = 8 * len(stream) + _SLACK_BITS
        self.information_bits = 0.0
        """-log2 p of all bits that ``decode_bits`` has read."""
        self._coder = _constriction().stream.queue.RangeDecoder(np.frombuffer(stream, "<u4").astype(np.uint32))

    def decode(self, counts: npt.NDArray[np.int64], num_symbols: int, /) -> npt.NDArray[np.int32]:
        """The next ``num_symbols`` indices into ``counts`` (k,).

        Raises:
            RfzError: the stream is not one that these frequencies can have written.
        """
        self._check()
        if len(counts) <= 1 or num_symbols == 0:
            return np.zeros(num_symbols, np.int32)
        if self._empty:
            raise RfzError("the coded stream is empty where symbols should be")
        self._used = True
        with _panics_are_errors():
            decoded: npt.NDArray[np.int32] = self._coder.decode(_model(counts), num_symbols)
            return decoded

    def decode_bits(self, ones: npt.NDArray[np.int64], /) -> npt.NDArray[np.int64]:
        """The next bits (n,); ``ones`` (n,) are the probabilities that they were coded with.

        Raises:
            RfzError: the stream is not one that these probabilities can have written.
        """
        self._check()
        if not len(ones):
            return np.zeros(0, np.int64)
        if self._empty:
            raise RfzError("the coded stream is empty where symbols should be")
        self._used = True
        with _panics_are_errors():
            decoded: npt.NDArray[np.int64] = self._coder.decode(_bernoulli(), _exact(ones)).astype(np.int64)
        self.information_bits += information_of_bits(decoded, ones)
        if self.information_bits > self._most_bits:  # else a few bytes could keep a decoder busy for very long
            raise RfzError("the coded stream is damaged: it is shorter than its symbols")
        return decoded

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            RfzError: the stream is longer than its symbols.
        """
        if not (self._coder.maybe_exhausted() if self._used else self._empty):
            raise RfzError("the coded stream is damaged: data is left over after the last symbol")


def _constriction() -> Any:
    """The package, which a training that stores nothing does without."""
    import constriction

    return constriction


def _model(counts: npt.NDArray[np.int64], /) -> Any:
    return _constriction().stream.model.Categorical(counts.astype(np.float64), perfect=False)


def _bernoulli() -> Any:
    return _constriction().stream.model.Bernoulli(perfect=False)


def _exact(ones: npt.NDArray[np.int64], /) -> npt.NDArray[np.float64]:
    probabilities: npt.NDArray[np.float64] = (2 * ones + 1) / 2.0**17
    return probabilities


@contextlib.contextmanager
def _panics_are_errors() -> Iterator[None]:
    try:
        yield
    except (ValueError, AssertionError) as error:
        raise RfzError(f"the coded stream is damaged ({error})") from error
    except BaseException as error:
        # constriction's Rust panics arrive as a BaseException that has no importable name.
        if type(error).__name__ != "PanicException":
            raise
        raise RfzError(f"the coded stream is damaged ({error})") from error
