"""One value of a grid: whether it is not zero, its sign and its magnitude, predicted from the values around it."""

from __future__ import annotations

from typing import NamedTuple

from .arithmetic import LIMIT, Array, Tables, bound, correct, learn, meet, mixed, stretch, third_of
from .jit import compiled, int64
from .learning import NUM_UNARY
from .magnitudes import class_of, code_remainder
from .neighbours import level, sign
from .range_reader import Port, code_bit

NUM_GRID_FLAG_INPUTS, NUM_GRID_SIGN_INPUTS, NUM_GRID_LEVEL_INPUTS = 9, 5, 8
GRID_FLAG_STATES, GRID_SIGN_STATES, GRID_LEVEL_STATES = 850, 253, 224
"""Numbers of states; of magnitudes those of each class."""
NUM_GRID_FLAG_SETS, NUM_GRID_LEVEL_SETS = 53, 19
"""Numbers of sets of weights."""
_THIRD = 1398101  # in 2^-22


class GridSettings(NamedTuple):
    """Constants of the format; ``trainers/coding/grid_model.py`` has their values."""

    flag_rate: int
    sign_rate: int
    level_rate: int
    calm: int
    limit: int
    """The most bits that a state of a flag or of a magnitude counts."""
    sign_limit: int
    shift: int
    """The predictor's weights learn 2^-shift of an error."""


class GridLearned(NamedTuple):
    """What is learned from grid to grid. States are uint32, weights int32, boosts int64."""

    flag_states: Array
    flag_weights: Array
    flag_boosts: Array
    sign_states: Array
    sign_weights: Array
    sign_boosts: Array
    level_states: Array
    level_weights: Array
    level_boosts: Array
    length_states: Array


class Beside(NamedTuple):
    """What lies around a value of a grid, zero beyond its edges, and what that lets expect."""

    left: int
    up: int
    up_left: int
    up_right: int
    left_2: int
    up_2: int
    far: int
    """The sum of the magnitudes at left_2, up_2, and four more that are two steps away."""
    pattern: int
    """Which of the eight nearest are not zero."""
    expected: int
    """The value that the predictor expects, in 2^-8."""
    fast: int
    """The bucket of the mean magnitude around; ``slow``: farther around."""
    slow: int


@compiled
def bucket_of(energy: int) -> int:
    """The bucket, 0 to 31, of a number in 2^-8: from 1/4 on four for each doubling."""
    found, rest = int64(0), energy >> 3
    while rest >= 8:
        rest >>= 1
        found += 4
    return min(found + rest, 31)


@compiled
def code_grid_flag(
    flag: int,
    near: Beside,
    inputs: Array,
    chosen: Array,
    settings: GridSettings,
    tables: Tables,
    learned_: GridLearned,
    port: Port,
) -> int:
    """Code whether a value is not zero; ``inputs`` and ``chosen`` are room, as in ``Scratch``."""
    states, weights, boosts = learned_.flag_states, learned_.flag_weights, learned_.flag_boosts
    stretches, squashes = tables.stretches, tables.squashes
    turn = int64(-1) if near.left + near.up + near.up_right < 0 else int64(1)
    size = bucket_of(abs(near.expected))
    first = abs(near.left) + abs(near.up)
    chosen[0], chosen[1], chosen[2] = 0, 1 + near.fast, 33 + near.slow
    chosen[3] = 65 + 45 * (min(max(turn * near.left, -2), 2) + 2) + 9 * (min(max(turn * near.up, -2), 2) + 2)
    chosen[3] += 3 * sign(turn * near.up_right) + sign(turn * near.up_left) + 4
    chosen[4] = 290 + 8 * min(level(near.far), 7) + min(level(first), 7)
    chosen[5] = 354 + near.pattern
    chosen[6] = 610 + size
    chosen[7] = 642 + 8 * (size >> 1) + (near.slow >> 2)
    prior = int64(1 << 21)
    for index in range(8):
        meet(states, chosen[index], prior, 1)
        if index == 0:
            prior = int64(states[0]) >> 10
        elif index == 2:
            prior = bound(((int64(states[chosen[1]]) >> 10) + (int64(states[chosen[2]]) >> 10)) >> 1)
        inputs[index] = stretch(int64(states[chosen[index]]) >> 10, stretches)
    inputs[8] = 256
    number = NUM_GRID_FLAG_INPUTS
    nearest = near.pattern & 15
    first_set = (nearest & 1) + (nearest >> 1 & 1) + (nearest >> 2 & 1) + (nearest >> 3)
    second_set, third_set = 5 + near.slow, 37 + (size >> 1)
    first_logit = mixed(weights[first_set], inputs, number)
    second_logit = mixed(weights[second_set], inputs, number)
    third_logit = mixed(weights[third_set], inputs, number)
    flag = code_bit(flag, int64(squashes[third_of(first_logit + second_logit + third_logit) + LIMIT]), port)
    rate, calm, one = settings.flag_rate, settings.calm, flag << 16
    correct(weights, boosts, first_set, inputs, number, one - int64(squashes[first_logit + LIMIT]), rate, calm)
    correct(weights, boosts, second_set, inputs, number, one - int64(squashes[second_logit + LIMIT]), rate, calm)
    correct(weights, boosts, third_set, inputs, number, one - int64(squashes[third_logit + LIMIT]), rate, calm)
    for index in range(8):
        learn(states, chosen[index], flag, settings.limit, tables.steps)
    return flag


@compiled
def code_grid_sign(
    negative: int,
    near: Beside,
    inputs: Array,
    chosen: Array,
    settings: GridSettings,
    tables: Tables,
    learned_: GridLearned,
    port: Port,
) -> int:
    """Code whether a value is negative."""
    states, weights, boosts = learned_.sign_states, learned_.sign_weights, learned_.sign_boosts
    side = bucket_of(abs(near.expected)) + (0 if near.expected > 0 else 32)
    around = 3 * min(abs(near.left) + abs(near.up), 2) + min(abs(near.up_left) + abs(near.up_right), 2)
    chosen[0] = 3 * sign(near.up_left) + sign(near.up_right) + 4
    chosen[1] = 9 + 3 * sign(near.left_2) + sign(near.up_2) + 4
    chosen[2] = 18 + 9 * sign(near.left) + 3 * sign(near.up) + sign(near.up_right) + 13
    chosen[3] = 45 + side
    chosen[4] = 109 + (side >> 2) + 16 * around
    for index in range(NUM_GRID_SIGN_INPUTS):
        meet(states, chosen[index], 1 << 21, 4)
        inputs[index] = stretch(int64(states[chosen[index]]) >> 10, tables.stretches)
    ones = int64(tables.squashes[mixed(weights[0], inputs, NUM_GRID_SIGN_INPUTS) + LIMIT])
    negative = code_bit(negative, ones, port)
    error = (negative << 16) - ones
    correct(weights, boosts, 0, inputs, NUM_GRID_SIGN_INPUTS, error, settings.sign_rate, settings.calm)
    for index in range(NUM_GRID_SIGN_INPUTS):
        learn(states, chosen[index], negative, settings.sign_limit, tables.steps)
    return negative


@compiled
def code_grid_magnitude(
    wanted: int,
    negative: int,
    near: Beside,
    inputs: Array,
    chosen: Array,
    settings: GridSettings,
    tables: Tables,
    learned_: GridLearned,
    port: Port,
) -> int:
    """Code the magnitude of a value that is not zero, in unary and from 16 on as in matrices."""
    states, weights, boosts = learned_.level_states, learned_.level_weights, learned_.level_boosts
    stretches, squashes, number = tables.stretches, tables.squashes, NUM_GRID_LEVEL_INPUTS
    left, up, up_left, up_right = abs(near.left), abs(near.up), abs(near.up_left), abs(near.up_right)
    left_2, up_2 = abs(near.left_2), abs(near.up_2)
    aligned = -near.expected if negative else near.expected
    magnitude = int64(1)
    while magnitude <= NUM_UNARY:
        of_class = class_of(magnitude)
        base = GRID_LEVEL_STATES * of_class
        larger = int64(left > magnitude) + (up > magnitude) + (up_left > magnitude) + (up_right > magnitude)
        larger = 3 * larger + (left_2 > magnitude) + (up_2 > magnitude)
        ahead = min(max((aligned - (magnitude << 8) + 1024) >> 6, 0), 31)
        chosen[0] = base
        chosen[1] = base + 1 + level(left + up)
        chosen[2] = base + 13 + larger
        chosen[3] = base + 28 + near.slow
        chosen[4] = base + 60 + ahead
        chosen[5] = base + 92 + level(up_left + up_right)
        chosen[6] = base + 104 + 15 * (ahead >> 2) + larger
        prior = int64(_THIRD)
        if of_class > 0:
            prior = int64(states[base - GRID_LEVEL_STATES]) >> 10
        for index in range(7):
            meet(states, chosen[index], prior, 1)
            if index == 0:
                prior = int64(states[base]) >> 10
            inputs[index] = stretch(int64(states[chosen[index]]) >> 10, stretches)
        inputs[7] = 256
        first_set, second_set = min(magnitude, 3) - 1, 3 + (near.fast >> 1)
        first_logit = mixed(weights[first_set], inputs, number)
        second_logit = mixed(weights[second_set], inputs, number)
        more = code_bit(int64(wanted > magnitude), int64(squashes[((first_logit + second_logit) >> 1) + LIMIT]), port)
        rate, calm, one = settings.level_rate, settings.calm, more << 16
        correct(weights, boosts, first_set, inputs, number, one - int64(squashes[first_logit + LIMIT]), rate, calm)
        correct(weights, boosts, second_set, inputs, number, one - int64(squashes[second_logit + LIMIT]), rate, calm)
        for index in range(7):
            learn(states, chosen[index], more, settings.limit, tables.steps)
        if more == 0:
            return magnitude
        magnitude += 1
    beyond = code_remainder(wanted - NUM_UNARY, learned_.length_states, settings.limit, tables.steps, port)
    return NUM_UNARY + beyond
