"""Codes a matrix of integers row by row, each value as a flag, a sign and a magnitude."""

from __future__ import annotations

from typing import NamedTuple

from .arithmetic import Array, Tables, bound, learn, learned, share_of
from .flags import Counts, Scratch, Shares, code_flag
from .jit import compiled, int64, uint64
from .learning import FLAG_CONTEXTS, GRID, KERNELS, NUM_FAMILIES, Learned, Settings, Shape
from .magnitudes import code_magnitude, code_sign
from .neighbours import Rows, around
from .position import IS_BROKEN
from .range_reader import Port

EVEN_SIGN = (1 << 31) | 2
"""The state of a sign of which nothing is known: as after two signs."""


class Room(NamedTuple):
    """Arrays for one matrix, all zero at first but ``column_signs``. ``x`` stands for columns and twice the margin."""

    first: Array
    """(x,) int32, as are ``second`` and ``third``: three rows, of which one is coded and two are above."""
    second: Array
    third: Array
    totals: Array
    """(9,) int64: non-zeros and magnitudes of the matrix; non-zeros of the row above and of the one above that. Then,
    of a row that a call leaves unfinished, its non-zeros, its magnitudes, its prior density, the state of its density
    nearby and that of its signs."""
    counts: Counts
    column_signs: Array
    """(x,) uint32: states, at first ``EVEN_SIGN``."""
    row_shares: Array
    """Those of the columns of one call, int64, as are ``places``."""
    places: Array
    scratch: Scratch


@compiled
def code_rows(
    values: Array,
    begin: int,
    end: int,
    first: int,
    last: int,
    shape: Shape,
    settings: Settings,
    tables: Tables,
    learned_: Learned,
    room: Room,
    port: Port,
) -> None:
    """Write the next rows of a matrix, or a part of one, to ``port``, or read them; none is read once it is broken.

    Args:
        values: the matrix (rows, columns) int32; filled in when reading.
        begin: the first of the rows, where the last call ended.
        end: the row after the last one.
        first, last: the first of the columns and the one after the last; all, or those of a part of one row.
        shape: how its columns lie.
        settings, tables: constants.
        learned_: what was learned from the matrices before; goes on learning.
        room: arrays to work in.
        port: where bits go to or come from.
    """
    num_columns = values.shape[1]
    size, kind = shape.kernel_size, shape.kind
    margin = (len(room.first) - num_columns) // 2
    counts, scratch, totals = room.counts, room.scratch, room.totals
    column_signs, row_shares, places = room.column_signs, room.row_shares, room.places
    for column in range(first, last):
        row_shares[column - first] = share_of(16 * column + settings.row_prior)
        places[column - first] = _place(column, num_columns, shape)
    whole, above, before = (totals[0], totals[1]), totals[2], totals[3]
    for row_index in range(begin, end):
        rows = _rows(room, row_index % 3)
        if row_index == 0:
            above, before = int64(-1), int64(-1)
        elif row_index == 1:
            before = int64(-1)
        beside, wide, column_, channel_ = _row_shares(row_index, shape, settings)
        row, row_density = (int64(totals[4]), int64(totals[5])), int64(totals[6])
        near_density, row_sign = int64(totals[7]), int64(totals[8])
        if first == 0:
            rows.row[:] = 0
            density = int64(learned_.flag_states[NUM_FAMILIES * FLAG_CONTEXTS + kind]) >> 10
            row_density = _row_density(above, before, num_columns, density, settings.above_prior)
            row, near_density, row_sign = (int64(0), int64(0)), (row_density << 10) | 2, int64(EVEN_SIGN)
        for column in range(first, last):
            x, channel = column + margin, column // size
            place, ninth = places[column - first] >> 4, places[column - first] & 15
            near = around(rows, x, place, shape)
            value = int64(values[row_index, column])
            flag = code_flag(
                int64(value != 0),
                near,
                place,
                ninth,
                (row[0], row_density, near_density),
                x,
                channel,
                counts,
                Shares(row_shares[column - first], beside, column_, wide, channel_),
                shape,
                settings,
                tables,
                learned_,
                scratch,
                port,
            )
            near_density = learned(near_density, flag, settings.near_limit, tables.steps)
            if flag == 0:
                continue
            column_sign = int64(column_signs[x])
            negative = code_sign(
                int64(value < 0), near, row_sign, column_sign, shape, settings, tables, learned_, scratch, port
            )
            row_sign = learned(row_sign, negative, settings.sign_limit, tables.steps)
            learn(column_signs, x, negative, settings.sign_limit, tables.steps)
            magnitude = code_magnitude(
                abs(value),
                near,
                ninth,
                row,
                whole,
                x,
                channel,
                counts,
                shape,
                settings,
                tables,
                learned_,
                scratch,
                port,
            )
            if magnitude >= (1 << 31) + negative:
                port.position[IS_BROKEN] = uint64(1)
                return
            values[row_index, column] = rows.row[x] = -magnitude if negative else magnitude
            row = (row[0] + 1, row[1] + magnitude)
            whole = (whole[0] + 1, whole[1] + magnitude)
            counts.nonzeros[x] += 1
            counts.magnitudes[x] += magnitude
            if kind == KERNELS:
                counts.channel_nonzeros[channel] += 1
                counts.channel_magnitudes[channel] += magnitude
        if port.position[IS_BROKEN]:
            return
        if last == num_columns:
            above, before = row[0], above
        else:
            totals[4], totals[5], totals[6] = row[0], row[1], row_density
            totals[7], totals[8] = near_density, row_sign
    totals[0], totals[1], totals[2], totals[3] = whole[0], whole[1], above, before


@compiled
def _rows(room: Room, turn: int) -> Rows:
    """The three rows, of which each is the one that is coded in its ``turn``."""
    if turn == 0:
        return Rows(room.first, room.third, room.second)
    if turn == 1:
        return Rows(room.second, room.first, room.third)
    return Rows(room.third, room.second, room.first)


@compiled
def _place(column: int, num_columns: int, shape: Shape) -> int:
    """16 times the place of a column in its kernel, on its line or among eighths, and the ninth in which it lies."""
    if shape.kind == KERNELS:
        place, end = column % shape.kernel_size, shape.kernel_size
    elif shape.kind == GRID:
        place, end = column % shape.width, shape.width
    else:
        place, end = 8 * column // num_columns, 9
    return 16 * place + 9 * place // end


@compiled
def _row_density(above: int, before: int, num_columns: int, density: int, strength: int) -> int:
    """The density to expect of a row, in 2^-22, from the non-zeros of the two rows before; -1 where there is none."""
    if above < 0:
        return density
    seen, num_rows = 2 * above, 2
    if before >= 0:
        seen, num_rows = seen + before, 3
    return bound(((seen << 22) + strength * density) // (num_rows * num_columns + strength))


@compiled
def _row_shares(num_rows: int, shape: Shape, settings: Settings) -> tuple[int, int, int, int]:
    """Shares of the values that lie beside a column, in it and around it, in it alone, and in its channel."""
    beside, wide = 6 * num_rows, 10 * num_rows
    if shape.width:
        beside, wide = beside + 8 * num_rows, wide + 8 * num_rows
    if shape.kind == KERNELS:
        beside += 2 * num_rows
    return (
        share_of(beside + settings.beside_prior),
        share_of(16 * wide + settings.wide_prior),
        share_of(16 * num_rows + settings.column_prior),
        share_of(shape.kernel_size * num_rows + settings.channel_prior),
    )
