"""The functions that Python calls, with examples of what they are called with, and the arrays that they want."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arithmetic import Tables
from .flags import Counts, Scratch
from .grid_values import (
    GRID_FLAG_STATES,
    GRID_LEVEL_STATES,
    GRID_SIGN_STATES,
    NUM_GRID_FLAG_INPUTS,
    NUM_GRID_FLAG_SETS,
    NUM_GRID_LEVEL_INPUTS,
    NUM_GRID_LEVEL_SETS,
    NUM_GRID_SIGN_INPUTS,
    GridLearned,
    GridSettings,
)
from .grids import GRID_MARGIN, NUM_TAPS, GridRoom, code_grid
from .learning import (
    FLAG_CONTEXTS,
    LEVEL_CONTEXTS,
    MAX_LENGTH,
    NUM_CLASSES,
    NUM_FAMILIES,
    NUM_FLAG_INPUTS,
    NUM_FLAG_SETS,
    NUM_LEVEL_FAMILIES,
    NUM_LEVEL_INPUTS,
    NUM_LEVEL_SETS,
    NUM_NINTHS,
    NUM_SIGN_INPUTS,
    PLAIN,
    SIGN_CONTEXTS,
    Learned,
    Settings,
    Shape,
)
from .matrices import Room, code_rows
from .range_reader import Port, read_bit, read_symbols
from .symbols import NUM_COUNTERS, count, look_up


def blank() -> Learned:
    """Arrays for all that is learned, of zeros."""
    num_sets = 4 * NUM_FLAG_SETS + NUM_NINTHS
    num_level_sets = NUM_LEVEL_FAMILIES * NUM_LEVEL_SETS + NUM_NINTHS
    return Learned(
        flag_states=np.zeros(NUM_FAMILIES * FLAG_CONTEXTS + 4, np.uint32),
        flag_weights=np.zeros((num_sets, NUM_FLAG_INPUTS), np.int32),
        flag_boosts=np.zeros(num_sets, np.int64),
        sign_states=np.zeros(NUM_FAMILIES * SIGN_CONTEXTS, np.uint32),
        sign_weights=np.zeros((4, NUM_SIGN_INPUTS), np.int32),
        sign_boosts=np.zeros(4, np.int64),
        level_states=np.zeros(NUM_LEVEL_FAMILIES * NUM_CLASSES * LEVEL_CONTEXTS, np.uint32),
        level_weights=np.zeros((num_level_sets, NUM_LEVEL_INPUTS), np.int32),
        level_boosts=np.zeros(num_level_sets, np.int64),
        length_states=np.zeros(MAX_LENGTH, np.uint32),
    )


def room(num_columns: int, num_padded: int, num_channels: int = 1) -> Room:
    """Arrays to work in, of zeros; ``num_columns`` are those of one call."""
    return Room(
        first=np.zeros(num_padded, np.int32),
        second=np.zeros(num_padded, np.int32),
        third=np.zeros(num_padded, np.int32),
        totals=np.zeros(9, np.int64),
        counts=Counts(
            nonzeros=np.zeros(num_padded, np.int32),
            magnitudes=np.zeros(num_padded, np.int64),
            channel_nonzeros=np.zeros(num_channels, np.int64),
            channel_magnitudes=np.zeros(num_channels, np.int64),
        ),
        column_signs=np.zeros(num_padded, np.uint32),
        row_shares=np.zeros(num_columns, np.int64),
        places=np.zeros(num_columns, np.int64),
        scratch=Scratch(inputs=np.zeros(16, np.int32), chosen=np.zeros(16, np.int64)),
    )


def blank_grids() -> GridLearned:
    """Arrays for all that is learned of grids, of zeros."""
    return GridLearned(
        flag_states=np.zeros(GRID_FLAG_STATES, np.uint32),
        flag_weights=np.zeros((NUM_GRID_FLAG_SETS, NUM_GRID_FLAG_INPUTS), np.int32),
        flag_boosts=np.zeros(NUM_GRID_FLAG_SETS, np.int64),
        sign_states=np.zeros(GRID_SIGN_STATES, np.uint32),
        sign_weights=np.zeros((1, NUM_GRID_SIGN_INPUTS), np.int32),
        sign_boosts=np.zeros(1, np.int64),
        level_states=np.zeros(NUM_CLASSES * GRID_LEVEL_STATES, np.uint32),
        level_weights=np.zeros((NUM_GRID_LEVEL_SETS, NUM_GRID_LEVEL_INPUTS), np.int32),
        level_boosts=np.zeros(NUM_GRID_LEVEL_SETS, np.int64),
        length_states=np.zeros(MAX_LENGTH, np.uint32),
    )


def grid_room(width: int) -> GridRoom:
    """Arrays to work in, of zeros, for a grid of ``width`` columns."""
    num_padded = width + 2 * GRID_MARGIN
    return GridRoom(
        first=np.zeros(num_padded, np.int32),
        second=np.zeros(num_padded, np.int32),
        third=np.zeros(num_padded, np.int32),
        fast=np.zeros(num_padded, np.int32),
        slow=np.zeros(num_padded, np.int32),
        weights=np.zeros(NUM_TAPS, np.int32),
        taps=np.zeros(NUM_TAPS, np.int32),
        inputs=np.zeros(16, np.int32),
        chosen=np.zeros(16, np.int64),
    )


def _examples() -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    words, position, values = np.zeros(1, np.uint32), np.zeros(5, np.uint64), np.zeros(1, np.int32)
    tables = Tables(np.zeros(1, np.int16), np.zeros(1, np.uint16), np.zeros(1, np.int64))
    port = Port(np.zeros(1, np.uint8), np.zeros(1, np.uint16), words, position)
    settings = Settings(*[1] * len(Settings._fields))
    matrix = np.zeros((1, 1), np.int32)
    shape = Shape(PLAIN, 1, 0)
    grid = (
        values,
        0,
        1,
        1,
        1,
        GridSettings(*[1] * len(GridSettings._fields)),
        tables,
        blank_grids(),
        grid_room(1),
        port,
    )
    return {
        "code_grid": (code_grid, grid),
        "code_rows": (code_rows, (matrix, 0, 1, 0, 1, shape, settings, tables, blank(), room(1, 8), port)),
        "count": (count, (values, 0, np.zeros((NUM_COUNTERS, 1), np.int64))),
        "look_up": (look_up, (values, 0, values, values)),
        "read_bit": (read_bit, (1, port)),
        "read_symbols": (read_symbols, (words, values, values, port)),
    }


ENTRIES = _examples()
"""By name: the function, and arguments of the types that it takes."""
