"""The sign of a value that is not zero, and its magnitude: in unary, and from 16 on in exponential Golomb."""

from __future__ import annotations

from .arithmetic import LIMIT, Array, Tables, correct, learn, meet, mixed, stretch, third_of
from .flags import Counts, Scratch
from .jit import compiled, int64
from .learning import (
    KERNELS,
    LEVEL_CONTEXTS,
    MAX_LENGTH,
    NUM_CLASSES,
    NUM_FAMILIES,
    NUM_LEVEL_FAMILIES,
    NUM_LEVEL_INPUTS,
    NUM_LEVEL_SETS,
    NUM_SIGN_INPUTS,
    NUM_UNARY,
    SIGN_CONTEXTS,
    Learned,
    Settings,
    Shape,
)
from .neighbours import Around, level, num_near, sign, sums
from .range_reader import Port, code_bit

_THIRD = 1398101  # in 2^-22


@compiled
def code_sign(
    negative: int,
    near: Around,
    row_sign: int,
    column_sign: int,
    shape: Shape,
    settings: Settings,
    tables: Tables,
    learned_: Learned,
    scratch: Scratch,
    port: Port,
) -> int:
    """Code whether a value is negative; ``row_sign`` and ``column_sign`` are states of its row's and column's signs."""
    inputs, chosen, states, kind = scratch.inputs, scratch.chosen, learned_.sign_states, shape.kind
    base = min(kind, NUM_FAMILIES - 1) * SIGN_CONTEXTS
    chosen[0] = base + 3 * sign(near.left) + sign(near.up) + 4
    chosen[1] = base + 9 + 3 * sign(near.up_left) + sign(near.up_right) + 4
    chosen[2] = base + 18 + 3 * sign(near.over) + sign(near.earlier) + 4
    chosen[3] = base + 27 + 3 * sign(near.over_left) + sign(near.left_2) + 4
    chosen[4] = base + 36
    for index in range(5):
        inputs[index] = stretch(int64(states[chosen[index]]) >> 10, tables.stretches)
    inputs[5] = stretch(row_sign >> 10, tables.stretches)
    inputs[6] = stretch(column_sign >> 10, tables.stretches)
    weights = learned_.sign_weights
    ones = int64(tables.squashes[mixed(weights[kind], inputs, NUM_SIGN_INPUTS) + LIMIT])
    negative = code_bit(negative, ones, port)
    error = (negative << 16) - ones
    rate = settings.sign_rate
    correct(weights, learned_.sign_boosts, kind, inputs, NUM_SIGN_INPUTS, error, rate, settings.calm)
    for index in range(5):
        learn(states, chosen[index], negative, settings.sign_limit, tables.steps)
    return negative


@compiled
def code_magnitude(
    wanted: int,
    near: Around,
    ninth: int,
    row: tuple[int, int],
    whole: tuple[int, int],
    x: int,
    channel: int,
    counts: Counts,
    shape: Shape,
    settings: Settings,
    tables: Tables,
    learned_: Learned,
    scratch: Scratch,
    port: Port,
) -> int:
    """Code a magnitude of at least one.

    Args:
        wanted: it, when writing.
        near: the values around.
        ninth: the ninth of the kernel or of the line of the grid, 0 to 8.
        row, whole: the non-zeros of the row, and of the matrix, so far, and the sums of their magnitudes.
        x, channel: the column, with the margin before it, and the input channel.
        counts, shape, settings, tables, learned_, scratch, port: as in ``code_flag``.
    """
    inputs, chosen = scratch.inputs, scratch.chosen
    states, weights, boosts = learned_.level_states, learned_.level_weights, learned_.level_boosts
    family = 0 if shape.kind == KERNELS else 1
    in_row, others = sums(near)
    own = int64(counts.nonzeros[x])
    row_mean, column_mean = _mean(row[1], row[0]), _mean(counts.magnitudes[x], own)
    if shape.kind == KERNELS:
        wide_mean = _mean(counts.channel_magnitudes[channel], counts.channel_nonzeros[channel])
    else:
        total = counts.magnitudes[x - 1] + counts.magnitudes[x] + counts.magnitudes[x + 1]
        wide_mean = _mean(total, counts.nonzeros[x - 1] + own + counts.nonzeros[x + 1])
    row_level = _mean_level(row_mean)
    chosen[0] = 0
    chosen[1] = 1 + min(level(abs(near.left) + abs(near.up)), 7)
    chosen[2] = 9 + min(level(abs(near.over) + abs(near.earlier)), 7)
    chosen[3] = 17 + row_level
    chosen[4] = 29 + _mean_level(column_mean)
    chosen[5] = 41 + level((in_row + others) >> 1)
    chosen[6] = 53 + _mean_level(row_mean * column_mean * (whole[0] + 1) // (8 * whole[1] + 12))
    chosen[7] = 65 + _mean_level(wide_mean)
    chosen[8] = 77 + min(num_near(near), 5)
    chosen[9] = 83 + 6 * (row_level >> 1) + (_mean_level(wide_mean) >> 1)
    magnitude = int64(1)
    while magnitude <= NUM_UNARY:
        of_class = class_of(magnitude)
        base = LEVEL_CONTEXTS * (NUM_CLASSES * family + of_class)
        prior = int64(_THIRD)
        if of_class > 0:
            prior = int64(states[base - LEVEL_CONTEXTS]) >> 10
        for index in range(NUM_LEVEL_INPUTS):
            meet(states, base + chosen[index], prior, settings.level_prior)
            if index == 0:
                prior = int64(states[base]) >> 10
            inputs[index] = stretch(int64(states[base + chosen[index]]) >> 10, tables.stretches)
        first = NUM_LEVEL_SETS * family + min(magnitude, 3) - 1
        second = NUM_LEVEL_SETS * family + 3 + row_level
        third = NUM_LEVEL_SETS * NUM_LEVEL_FAMILIES + ninth
        first_logit = mixed(weights[first], inputs, NUM_LEVEL_INPUTS)
        second_logit = mixed(weights[second], inputs, NUM_LEVEL_INPUTS)
        third_logit, logit = int64(0), (first_logit + second_logit) >> 1
        if shape.kind == KERNELS:
            third_logit = mixed(weights[third], inputs, NUM_LEVEL_INPUTS)
            logit = third_of(first_logit + second_logit + third_logit)
        ones = int64(tables.squashes[logit + LIMIT])
        more = code_bit(int64(wanted > magnitude), ones, port)
        rate, calm = settings.level_rate, settings.calm
        error = (more << 16) - int64(tables.squashes[first_logit + LIMIT])
        correct(weights, boosts, first, inputs, NUM_LEVEL_INPUTS, error, rate, calm)
        error = (more << 16) - int64(tables.squashes[second_logit + LIMIT])
        correct(weights, boosts, second, inputs, NUM_LEVEL_INPUTS, error, rate, calm)
        if shape.kind == KERNELS:
            error = (more << 16) - int64(tables.squashes[third_logit + LIMIT])
            correct(weights, boosts, third, inputs, NUM_LEVEL_INPUTS, error, rate, calm)
        for index in range(NUM_LEVEL_INPUTS):
            learn(states, base + chosen[index], more, settings.level_limit, tables.steps)
        if more == 0:
            return magnitude
        magnitude += 1
    remainder = code_remainder(wanted - NUM_UNARY, learned_.length_states, settings.level_limit, tables.steps, port)
    return NUM_UNARY + remainder


@compiled
def code_remainder(wanted: int, states: Array, limit: int, steps: Array, port: Port) -> int:
    """Code a number of at least one: the length of its binary form in unary, adaptively, then its lower bits."""
    length = int64(0)
    while length < MAX_LENGTH:
        more = code_bit(int64((wanted >> length) > 1), int64(states[length]) >> 16, port)
        learn(states, length, more, limit, steps)
        if more == 0:
            break
        length += 1
    found = int64(1)
    for place in range(length - 1, -1, -1):
        found = 2 * found + code_bit((wanted >> place) & 1, int64(1 << 15), port)
    return found


@compiled
def class_of(magnitude: int) -> int:
    """Which states a unary bit uses: those of 1 to 4, 5 and 6, 7 to 9, from 10 on."""
    if magnitude < 5:
        return magnitude - 1
    if magnitude < 7:
        return int64(4)
    return int64(5) if magnitude < 10 else int64(6)


@compiled
def _mean(total: int, number: int) -> int:
    """A mean magnitude in eighths, drawn a little towards 3/2, below 128."""
    return min((8 * int64(total) + 12) // (int64(number) + 1), 1023)


@compiled
def _mean_level(mean: int) -> int:
    """The bucket of a mean magnitude in eighths, 0 to 11."""
    return level(max((mean >> 1) - 3, 0))
