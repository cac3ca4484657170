"""Compiles or loads every function that is called from outside, for the types that it is called with."""

from __future__ import annotations

import numpy as np

from .arithmetic import LIMIT, Tables, learned
from .flags import Counts, Scratch
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


def compile_all() -> None:
    """Call each function once, on nearly nothing."""
    words, position = np.zeros(1, np.uint32), np.zeros(5, np.uint64)
    position[1] = 1 << 40
    read_bit(1, words, position)
    cumulative = np.array([0, 1 << 24], np.uint32)
    read_symbols(cumulative, np.zeros(0, np.int32), np.zeros(1, np.int32), words, position)
    values = np.zeros(1, np.int32)
    count(values, 0, np.zeros((NUM_COUNTERS, 1), np.int64))
    look_up(values, 0, values, np.zeros(1, np.int32))
    tables = Tables(np.zeros(4096, np.int16), np.zeros(2 * LIMIT + 1, np.uint16), np.zeros(1024, np.int64))
    learned(1 << 31, 1, 1, tables.steps)
    code_rows(
        np.zeros((1, 1), np.int32),
        0,
        1,
        0,
        1,
        Shape(PLAIN, 1, 0),
        Settings(*[1] * len(Settings._fields)),
        tables,
        blank(),
        room(1, 8),
        Port(np.zeros(9, np.uint8), np.zeros(9, np.uint16), np.zeros(0, np.uint32), np.zeros(5, np.uint64)),
    )


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
