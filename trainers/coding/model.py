"""The model of the coder: what it has learned of a file so far, and the ways to note or to read a matrix.

The loops are in ``compiled/``; here are the constants of the format, the tables, and the arrays that the loops use.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.coding import mixing
from trainers.coding.compiled import arithmetic, entries, matrices, range_reader
from trainers.coding.compiled.learning import (
    GRID,
    KERNELS,
    MAX_LENGTH,
    NUM_UNARY,
    PLAIN,
    VECTOR,
    Settings,
    Shape,
)
from trainers.coding.deadline import unlimited
from trainers.coding.machine_code import Packed, call

_AT_ONCE = 1 << 20
"""The most values that are coded between two looks at the clock."""

__all__ = [
    "GRID",
    "KERNELS",
    "NUM_FORM_STATES",
    "PLAIN",
    "VECTOR",
    "Model",
    "Notes",
    "Shape",
    "compiled_tables",
    "num_bits",
]

Ints = npt.NDArray[np.int32]

_NUM_KINDS = 4
_SETTINGS = {
    "flag_rate": 38,
    "sign_rate": 973,
    "level_rate": 450,
    "calm": 12,
    "density_limit": 951,
    "flag_limit": 410,
    "sign_limit": 282,
    "level_limit": 1020,
    "near_limit": 15,
    "flag_prior": 1,
    "level_prior": 1,
    "row_prior": 42,
    "column_prior": 5722,
    "wide_prior": 476,
    "beside_prior": 10,
    "above_prior": 11,
    "channel_prior": 2,
}
_FLAG_BOOST, _SIGN_BOOST, _LEVEL_BOOST = 277, 2396, 85
_DENSITIES = (1439271, 703393, 714178, 2917045)
"""The density, in 2^-22, that each kind of matrix begins with."""
_FLAG_WEIGHTS = (
    -0.176,
    0.193,
    0.135,
    0.041,
    0.003,
    0.103,
    0.054,
    0.011,
    0.183,
    0.171,
    0.186,
    -0.08,
    -0.445,
    0.053,
    0.183,
    -0.23,
)
_SIGN_WEIGHTS = (0.745, 0.842, 0.38, 0.109, -0.921, -0.247, -0.22)
_LEVEL_WEIGHTS = (-0.263, 0.188, -0.013, 0.149, 0.16, 0.146, 0.043, 0.162, 0.041, 0.096)
_SIGN_STATE = (1 << 31) | 4
_LENGTH_STATE = (1 << 31) | 2
_FORM_STATE = (1 << 31) | 2
NUM_FORM_STATES = 6


@dataclass(frozen=True, kw_only=True)
class Notes:
    """Bits, each with its probability of a one, in the order of the stream."""

    bits: npt.NDArray[np.uint8]
    ones: npt.NDArray[np.uint16]
    """The probabilities are (2 x + 1) / 2^17."""

    def information_bits(self) -> float:
        """-log2 p, summed over all bits."""
        pieces = (slice(begin, begin + _AT_ONCE) for begin in range(0, len(self.bits), _AT_ONCE))
        return float(sum(_information()[self.bits[piece], self.ones[piece]].sum() for piece in pieces))


class Model:
    """Learns from matrix to matrix. A copy of it can try a way to code the next one."""

    def __init__(self) -> None:
        """Know what every file begins with."""
        self._learned = entries.blank()
        self._learned.flag_states[-_NUM_KINDS:] = [(density << 10) | 2 for density in _DENSITIES]
        for weights, values in (
            (self._learned.flag_weights, _FLAG_WEIGHTS),
            (self._learned.sign_weights, _SIGN_WEIGHTS),
            (self._learned.level_weights, _LEVEL_WEIGHTS),
        ):
            weights[:] = [round(mixing.ONE * value) for value in values]
        for array, value in (
            (self._learned.flag_boosts, _FLAG_BOOST << 16),
            (self._learned.sign_boosts, _SIGN_BOOST << 16),
            (self._learned.level_boosts, _LEVEL_BOOST << 16),
            (self._learned.sign_states, _SIGN_STATE),
            (self._learned.length_states, _LENGTH_STATE),
        ):
            array[:] = value
        self._packed = Packed(self._learned)
        self._form_states = np.full(NUM_FORM_STATES, _FORM_STATE, np.uint32)

    def copy(self) -> Model:
        """A model that knows the same and learns on its own."""
        other = Model.__new__(Model)
        other._learned = type(self._learned)(*(array.copy() for array in self._learned))
        other._packed = Packed(other._learned)
        other._form_states = self._form_states.copy()
        return other

    def note(self, values: Ints, shape: Shape) -> Notes:
        """Learn a matrix (rows, columns), and return its bits."""
        num = num_bits(values)
        bits, ones = np.empty(num, np.uint8), np.empty(num, np.uint16)
        own = np.array(values, np.int32, order="C")  # the loops write to it, the same values
        port = range_reader.Port(bits, ones, np.zeros(0, np.uint32), np.zeros(5, np.uint64))
        self._code(own, shape, Packed(port), unlimited)
        return Notes(bits=bits, ones=ones)

    def form_odds(self, state: int) -> int:
        """The probability of a one, as in ``Notes``, of a bit of a matrix's form; even for ``state`` -1."""
        return int(self._form_states[state]) >> 16 if state >= 0 else mixing.ONE // 2

    def learn_form(self, state: int, bit: int) -> None:
        """Learn such a bit."""
        if state >= 0:
            limit = _SETTINGS["flag_limit"]
            self._form_states[state] = arithmetic.learned(int(self._form_states[state]), bit, limit, _steps())

    def read(
        self,
        num_rows: int,
        num_columns: int,
        shape: Shape,
        port: Packed,
        check: Callable[[], None] = unlimited,
    ) -> Ints:
        """Read a matrix from a ``Port``, and learn it. Where the stream is broken, its position says so afterwards.

        ``check`` is called before each million of values; what it raises ends the reading.
        """
        values = np.zeros((num_rows, num_columns), np.int32)
        self._code(values, shape, port, check)
        return values

    def _code(self, values: Ints, shape: Shape, port: Packed, check: Callable[[], None]) -> None:
        rest = (_settings(), compiled_tables(), self._packed, Packed(_room(values, shape)), port)
        for begin, end, first, last in _pieces(*values.shape):
            check()
            call("code_rows", values, begin, end, first, last, shape, *rest)


def _pieces(num_rows: int, num_columns: int) -> Iterator[tuple[int, int, int, int]]:
    """Ranges of rows and of columns, of ``_AT_ONCE`` values or less each: whole rows, or parts of a long one."""
    at_once = max(1, _AT_ONCE // num_columns)
    for begin in range(0, num_rows, at_once):
        for first in range(0, num_columns, _AT_ONCE):
            yield begin, min(begin + at_once, num_rows), first, min(first + _AT_ONCE, num_columns)


def num_bits(values: Ints) -> int:
    """How many bits ``note`` makes of a matrix."""
    magnitudes = np.abs(values[values != 0].astype(np.int64))
    beyond = magnitudes[magnitudes > NUM_UNARY] - NUM_UNARY
    lengths = np.frexp(beyond.astype(np.float64))[1].astype(np.int64)  # of the binary form
    unary = np.minimum(magnitudes, NUM_UNARY).sum()
    return int(values.size + len(magnitudes) + unary + (2 * lengths - 1).sum() - (lengths > MAX_LENGTH).sum())


@functools.cache
def _settings() -> Packed:
    return Packed(Settings(**_SETTINGS))


@functools.cache
def _steps() -> npt.NDArray[np.int64]:
    steps: npt.NDArray[np.int64] = (1 << 17) // (2 * np.arange(1024) + 3)
    return steps


@functools.cache
def compiled_tables() -> Packed:
    """Tables, made by integer arithmetic alone: the same on every machine."""
    near_zero, between = 64 * np.arange(2048) + 32, 2048 * np.arange(2048) + 1024
    ones = np.concatenate((near_zero, between))
    limit = arithmetic.LIMIT
    tables = arithmetic.Tables(
        stretches=mixing.logit(np.stack((ones, (1 << 22) - ones))).astype(np.int16),
        squashes=mixing.probability(np.arange(-limit, limit + 1)).astype(np.uint16),
        steps=_steps(),
    )
    return Packed(tables)


def _room(values: Ints, shape: Shape) -> Any:
    num_columns = values.shape[1]
    margin = 2 * max(shape.width, shape.kernel_size) + 2  # zeros on either side, so that all neighbours are there
    num_channels = -(-num_columns // shape.kernel_size) if shape.kind == KERNELS else 1
    room = entries.room(min(num_columns, _AT_ONCE), num_columns + 2 * margin, num_channels)
    room.column_signs[:] = matrices.EVEN_SIGN
    return room


@functools.cache
def _information() -> npt.NDArray[np.float64]:
    """-log2 p (2, 2^16) of a bit, by the bit and its probability."""
    odd = 2 * np.arange(mixing.ONE) + 1
    return 17 - np.log2(np.stack((2 * mixing.ONE - odd, odd)))
