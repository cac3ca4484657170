"""Codes a grid of integers, such as the latents of a picture: channel by channel, line by line, value by value."""

from __future__ import annotations

from typing import NamedTuple

from .arithmetic import Array, Tables
from .grid_values import (
    Beside,
    GridLearned,
    GridSettings,
    bucket_of,
    code_grid_flag,
    code_grid_magnitude,
    code_grid_sign,
)
from .jit import compiled, int64, uint64
from .neighbours import Rows
from .position import IS_BROKEN
from .range_reader import Port

GRID_MARGIN = 3
"""Zeros on either side of a line, so that all neighbours are there."""
NUM_TAPS = 12
"""Neighbours that the predictor sees."""
_MOST_TAP, _MOST_WEIGHT, _MOST_EXPECTED = 255, 1 << 19, 1 << 15


class GridRoom(NamedTuple):
    """Arrays for one grid, all zero at first but ``weights``. ``x`` stands for columns and twice the margin."""

    first: Array
    """(x,) int32, as are ``second`` and ``third``: three lines, of which one is coded and two are above."""
    second: Array
    third: Array
    fast: Array
    """Mean magnitudes (x,) int32 in 2^-8: up to the column of this line, from there on of the line above; ``slow``:
    such that remember longer."""
    slow: Array
    weights: Array
    """The predictor's (NUM_TAPS,) int32, in 2^-16."""
    taps: Array
    inputs: Array
    chosen: Array


@compiled
def code_grid(
    values: Array,
    begin: int,
    end: int,
    height: int,
    width: int,
    settings: GridSettings,
    tables: Tables,
    learned_: GridLearned,
    room: GridRoom,
    port: Port,
) -> None:
    """Write the next values of a grid to ``port``, or read them; none is read once it is broken.

    Args:
        values: of all channels, line by line (n,) int32; filled in when reading.
        begin: the first of the values, where the last call ended.
        end: the value after the last one.
        height, width: lines of a channel, and values of a line.
        settings, tables: constants.
        learned_: what was learned from the grids before; goes on learning.
        room: arrays to work in.
        port: where bits go to or come from.
    """
    inputs, chosen = room.inputs, room.chosen
    line, column = begin // width, begin % width
    rows = _lines(room, line % 3)
    for index in range(begin, end):
        if column == 0:
            _begin_line(room, rows, line % height == 0)
        x = column + GRID_MARGIN
        fast = (3 * (int64(room.fast[x - 1]) + room.fast[x]) + 2 * int64(room.fast[x + 1])) >> 3
        slow = (3 * (int64(room.slow[x - 1]) + room.slow[x]) + room.slow[x + 1] + room.slow[x + 2]) >> 3
        energy, expected = _expect(rows, x, room)
        near = _beside(rows, x, expected, bucket_of(fast), bucket_of(slow))
        value = int64(values[index])
        if code_grid_flag(int64(value != 0), near, inputs, chosen, settings, tables, learned_, port):
            negative = code_grid_sign(int64(value < 0), near, inputs, chosen, settings, tables, learned_, port)
            magnitude = code_grid_magnitude(
                abs(value), negative, near, inputs, chosen, settings, tables, learned_, port
            )
            if magnitude >= (1 << 31) + negative:
                port.position[IS_BROKEN] = uint64(1)
                return
            value = -magnitude if negative else magnitude
            values[index] = rows.row[x] = value
        if port.position[IS_BROKEN]:
            return
        if energy:
            _learn(value, expected, energy, room, settings.shift)
        seen = min(abs(value), 63) << 8
        room.fast[x] = fast + ((5 * (seen - fast)) >> 4)
        room.slow[x] = slow + ((seen - slow) >> 3)
        column += 1
        if column == width:
            line, column = line + 1, int64(0)
            rows = _lines(room, line % 3)


@compiled
def _lines(room: GridRoom, turn: int) -> Rows:
    """The three lines, of which each is the one that is coded in its ``turn``."""
    if turn == 0:
        return Rows(room.first, room.third, room.second)
    if turn == 1:
        return Rows(room.second, room.first, room.third)
    return Rows(room.third, room.second, room.first)


@compiled
def _begin_line(room: GridRoom, rows: Rows, is_first: bool) -> None:
    """Forget the line that is coded anew; on the first line of a channel all that is around."""
    rows.row[:] = 0
    if is_first:
        rows.above[:] = 0
        rows.above_2[:] = 0
        room.fast[:] = 0
        room.slow[:] = 0


@compiled
def _tap(value: int) -> int:
    return min(max(int64(value), -_MOST_TAP), _MOST_TAP)


@compiled
def _expect(rows: Rows, x: int, room: GridRoom) -> tuple[int, int]:
    """The sum of the squares of the neighbours, and the value that their weighted sum lets expect, in 2^-8."""
    row, above, above_2, taps, weights = rows.row, rows.above, rows.above_2, room.taps, room.weights
    taps[0], taps[1], taps[2], taps[3] = _tap(row[x - 1]), _tap(above[x]), _tap(above[x - 1]), _tap(above[x + 1])
    taps[4], taps[5], taps[6], taps[7] = _tap(row[x - 2]), _tap(above_2[x]), _tap(above[x + 2]), _tap(above_2[x + 1])
    taps[8], taps[9], taps[10], taps[11] = (
        _tap(above[x - 2]),
        _tap(above_2[x - 1]),
        _tap(row[x - 3]),
        _tap(above[x + 3]),
    )
    energy, expected = int64(0), int64(0)
    for index in range(NUM_TAPS):
        energy += int64(taps[index]) * int64(taps[index])
        expected += int64(taps[index]) * int64(weights[index])
    return energy, min(max(expected >> 8, -_MOST_EXPECTED), _MOST_EXPECTED)


@compiled
def _learn(value: int, expected: int, energy: int, room: GridRoom, shift: int) -> None:
    """Let the predictor's weights go a part of the way to where they would have been right (normalised LMS)."""
    step = (((_tap(value) << 8) - expected) << 8) // (energy + 1)
    for index in range(NUM_TAPS):
        weight = int64(room.weights[index]) + ((int64(room.taps[index]) * step) >> shift)
        room.weights[index] = min(max(weight, -_MOST_WEIGHT), _MOST_WEIGHT)


@compiled
def _beside(rows: Rows, x: int, expected: int, fast: int, slow: int) -> Beside:
    row, above, above_2 = rows.row, rows.above, rows.above_2
    left, left_2, up, up_2 = int64(row[x - 1]), int64(row[x - 2]), int64(above[x]), int64(above_2[x])
    up_left, up_right = int64(above[x - 1]), int64(above[x + 1])
    right, over = int64(above[x + 2]), int64(above_2[x + 1])
    far = abs(left_2) + abs(up_2) + abs(right) + abs(over) + abs(int64(above_2[x - 1])) + abs(int64(above[x - 2]))
    pattern = int64(left != 0) + 2 * (up != 0) + 4 * (up_left != 0) + 8 * (up_right != 0)
    pattern += 16 * (left_2 != 0) + 32 * (up_2 != 0) + 64 * (right != 0) + 128 * (over != 0)
    return Beside(left, up, up_left, up_right, left_2, up_2, far, pattern, expected, fast, slow)
