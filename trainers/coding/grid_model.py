"""The model of grids: what it has learned of a file's grids so far, and the ways to note or to read one.

A tensor of two axes or more is a grid: the last two are lines and columns, those before them channels. The loops are in
``compiled/``; here are the constants of the format.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from trainers.coding import mixing
from trainers.coding.compiled import entries, range_reader
from trainers.coding.compiled.grid_values import GridSettings
from trainers.coding.deadline import unlimited
from trainers.coding.machine_code import Packed, call
from trainers.coding.model import Ints, Notes, compiled_tables, num_bits
from trainers.coding.stream import StreamReader

_AT_ONCE = 1 << 20
"""The most values that are coded between two looks at the clock."""
_SETTINGS = {
    "flag_rate": 38,
    "sign_rate": 200,
    "level_rate": 600,
    "calm": 12,
    "limit": 1020,
    "sign_limit": 282,
    "shift": 4,
}
_FLAG_BOOST, _SIGN_BOOST, _LEVEL_BOOST = 277, 2396, 85
_FLAG_WEIGHTS = (0.05, 0.1, 0.05, 0.22, 0.15, 0.2, 0.2, 0.1, 0.4)
_SIGN_WEIGHTS = (0.2, 0.12, 0.4, 0.3, 0.1)
_LEVEL_WEIGHTS = (-0.4, 0.2, 0.3, 0.05, 0.2, 0.05, 0.2, 0.05)
_PREDICTOR = (20000, 20000, -5000, 5000)
"""The weights of the first neighbours at first, in 2^-16; those of the others are zero."""
_LENGTH_STATE = (1 << 31) | 2
_EVEN = mixing.ONE // 2


class GridModel:
    """Learns from grid to grid."""

    def __init__(self) -> None:
        """Know what every file begins with."""
        learned = entries.blank_grids()
        for weights, values in (
            (learned.flag_weights, _FLAG_WEIGHTS),
            (learned.sign_weights, _SIGN_WEIGHTS),
            (learned.level_weights, _LEVEL_WEIGHTS),
        ):
            weights[:] = [round(mixing.ONE * value) for value in values]
        for boosts, value in (
            (learned.flag_boosts, _FLAG_BOOST),
            (learned.sign_boosts, _SIGN_BOOST),
            (learned.level_boosts, _LEVEL_BOOST),
        ):
            boosts[:] = value << 16
        learned.length_states[:] = _LENGTH_STATE
        self._learned = Packed(learned)

    def note(self, values: Ints) -> Notes:
        """Learn a grid, and return its bits: whether any value is not zero, and then the values."""
        if not values.any():
            stored = min(values.size, 1)  # of no values nothing
            return Notes(bits=np.zeros(stored, np.uint8), ones=np.full(stored, _EVEN, np.uint16))
        num = num_bits(values)
        bits, ones = np.empty(num, np.uint8), np.empty(num, np.uint16)
        own = np.array(values, np.int32, order="C").reshape(-1)  # the loops write to it, the same values
        port = range_reader.Port(bits, ones, np.zeros(0, np.uint32), np.zeros(5, np.uint64))
        self._code(own, values.shape, Packed(port), unlimited)
        return Notes(bits=np.append(np.uint8(1), bits), ones=np.append(np.uint16(_EVEN), ones))

    def read(self, shape: tuple[int, ...], reader: StreamReader) -> Ints:
        """Read a grid of a shape, and learn it.

        Raises:
            RfzError: the stream does not hold one.
        """
        values = np.zeros(math.prod(shape), np.int32)
        if len(values) and reader.read_bit(_EVEN):
            reader.read_values(lambda port, check: self._code(values, shape, port, check))
        return values.reshape(shape)

    def _code(self, values: Ints, shape: tuple[int, ...], port: Packed, check: Callable[[], None]) -> None:
        height, width = shape[-2:]
        room = entries.grid_room(width)
        room.weights[: len(_PREDICTOR)] = _PREDICTOR
        rest = (height, width, _settings(), compiled_tables(), self._learned, Packed(room), port)
        for begin in range(0, len(values), _AT_ONCE):
            check()
            call("code_grid", values, begin, min(begin + _AT_ONCE, len(values)), *rest)


@functools.cache
def _settings() -> Packed:
    return Packed(GridSettings(**_SETTINGS))
