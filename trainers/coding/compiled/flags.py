"""The first bit of a value: whether it is not zero. It is predicted from densities and from what lies around."""

from __future__ import annotations

from typing import NamedTuple

from .arithmetic import LIMIT, Array, Tables, bound, clip, correct, learn, meet, mixed, ratio, stretch, third_of
from .jit import compiled, int64
from .learning import FLAG_CONTEXTS, KERNELS, NUM_FAMILIES, NUM_FLAG_INPUTS, NUM_FLAG_SETS, Learned, Settings, Shape
from .neighbours import Around, level, num_near, sums
from .range_reader import Port, code_bit


class Counts(NamedTuple):
    """Non-zeros so far, and sums of magnitudes, of each column, with a margin, and of each input channel."""

    nonzeros: Array
    magnitudes: Array
    channel_nonzeros: Array
    channel_magnitudes: Array


class Shares(NamedTuple):
    """``share_of`` the numbers of values that densities are counted in: of the row so far, and of columns in rows."""

    row: int
    beside: int
    column: int
    wide: int
    channel: int


class Scratch(NamedTuple):
    """Room for the inputs of a mixer (16,) int32, and for the states that they are of (16,) int64."""

    inputs: Array
    chosen: Array


@compiled
def beside(nonzeros: Array, x: int, shape: Shape) -> int:
    """Non-zeros of the columns around column ``x``, the nearer ones twice."""
    found = 2 * (nonzeros[x - 1] + nonzeros[x + 1]) + nonzeros[x - 2] + nonzeros[x + 2]
    width = shape.width
    if width:
        found += 2 * (nonzeros[x - width] + nonzeros[x + width]) + nonzeros[x - width - 1] + nonzeros[x - width + 1]
        found += nonzeros[x + width - 1] + nonzeros[x + width + 1]
    return int64(found)


@compiled
def bucket(logit: int) -> int:
    """The bucket of a logit, 0 to 11: a new one each 5/4."""
    return min(max((logit + 1920) // 320, 0), 11)


@compiled
def code_flag(
    flag: int,
    near: Around,
    place: int,
    ninth: int,
    row: tuple[int, int, int],
    x: int,
    channel: int,
    counts: Counts,
    shares: Shares,
    shape: Shape,
    settings: Settings,
    tables: Tables,
    learned_: Learned,
    scratch: Scratch,
    port: Port,
) -> int:
    """Code the flag of a value.

    Args:
        flag: the bit, when writing.
        near: the values around it.
        place: its place in the kernel or on the line of the grid.
        ninth: the ninth of the kernel or of the line that it is in, 0 to 8.
        row: of its row, the non-zeros so far, the prior of its density in 2^-22, and the state of its density nearby.
        x: its column, with the margin before it.
        channel: its input channel.
        counts, shares: non-zeros of columns and channels, and what they are divided by.
        shape, settings, tables, learned_, scratch, port: as in ``code_matrix``.
    """
    inputs, chosen, stretches, squashes = scratch.inputs, scratch.chosen, tables.stretches, tables.squashes
    states, weights, kind = learned_.flag_states, learned_.flag_weights, shape.kind
    base, density_state = min(kind, NUM_FAMILIES - 1) * FLAG_CONTEXTS, NUM_FAMILIES * FLAG_CONTEXTS + kind
    row_nonzeros, row_density, near_density = row
    density = int64(states[density_state]) >> 10
    own, around_it = int64(counts.nonzeros[x]), beside(counts.nonzeros, x, shape)
    row_logit = stretch(ratio((row_nonzeros << 20) + settings.row_prior * (row_density >> 6), shares.row), stretches)
    wide = 4 * own + around_it
    wide_logit = stretch(ratio((wide << 20) + settings.wide_prior * (density >> 6), shares.wide), stretches)
    channel_logit = int64(0)
    if kind == KERNELS:
        size = shape.kernel_size
        around_it += counts.nonzeros[x - size] + counts.nonzeros[x + size]
        seen = counts.channel_nonzeros[channel] << 16
        channel_logit = stretch(ratio(seen + settings.channel_prior * (density >> 6), shares.channel), stretches)
    expected = ratio((around_it << 16) + settings.beside_prior * (density >> 6), shares.beside)
    column_logit = stretch(ratio((own << 20) + settings.column_prior * (expected >> 6), shares.column), stretches)
    both_logit = clip(row_logit + wide_logit - stretch(density, stretches))

    in_row, others = sums(near)
    num = num_near(near)
    row_pattern = (near.left != 0) + 2 * (near.left_2 != 0) + 4 * (near.up != 0) + 8 * (near.up_left != 0)
    row_pattern += 16 * (near.up_right != 0) + 32 * (near.up_2 != 0)
    pattern = (near.over != 0) + 2 * (near.over_2 != 0) + 4 * (near.over_left != 0) + 8 * (near.over_right != 0)
    pattern += 16 * (near.earlier != 0) + 32 * (near.earlier_2 != 0)
    dense = bucket(both_logit)
    chosen[0] = density_state
    chosen[1] = base + row_pattern
    chosen[2] = base + 64 + 12 * bucket(row_logit) + bucket(column_logit)
    chosen[3] = base + 208 + 8 * min(level(in_row), 7) + min(level(others), 7)
    chosen[4] = base + 272 + pattern
    chosen[5] = base + 336 + (place & 63)
    chosen[6] = base + 400 + 8 * dense + 2 * min(num, 3) + ((near.left != 0) | (near.up != 0))
    chosen[7] = base + 496 + 6 * ninth + (dense >> 1)
    prior = bound(int64(squashes[both_logit + LIMIT]) << 6)
    for index in range(8):
        meet(states, chosen[index], prior, settings.flag_prior)
        inputs[index] = stretch(int64(states[chosen[index]]) >> 10, stretches)
    inputs[15], inputs[8], inputs[9] = row_logit, column_logit, wide_logit
    inputs[10] = stretch(near_density >> 10, stretches)
    inputs[11], inputs[12], inputs[13], inputs[14] = both_logit, 256, 256 * min(num, 3), channel_logit
    first = NUM_FLAG_SETS * kind + min(num, 2)
    second = NUM_FLAG_SETS * kind + 3 + (dense >> 1)
    first_logit = mixed(weights[first], inputs, NUM_FLAG_INPUTS)
    second_logit = mixed(weights[second], inputs, NUM_FLAG_INPUTS)
    third, third_logit, logit = 4 * NUM_FLAG_SETS + ninth, int64(0), (first_logit + second_logit) >> 1
    if kind == KERNELS:
        third_logit = mixed(weights[third], inputs, NUM_FLAG_INPUTS)
        logit = third_of(first_logit + second_logit + third_logit)
    flag = code_bit(flag, int64(squashes[logit + LIMIT]), port)

    rate, calm, boosts = settings.flag_rate, settings.calm, learned_.flag_boosts
    error = (flag << 16) - int64(squashes[first_logit + LIMIT])
    correct(weights, boosts, first, inputs, NUM_FLAG_INPUTS, error, rate, calm)
    error = (flag << 16) - int64(squashes[second_logit + LIMIT])
    correct(weights, boosts, second, inputs, NUM_FLAG_INPUTS, error, rate, calm)
    if kind == KERNELS:
        error = (flag << 16) - int64(squashes[third_logit + LIMIT])
        correct(weights, boosts, third, inputs, NUM_FLAG_INPUTS, error, rate, calm)
    learn(states, density_state, flag, settings.density_limit, tables.steps)
    for index in range(1, 8):
        learn(states, chosen[index], flag, settings.flag_limit, tables.steps)
    return flag
