"""Logits, states that learn a probability, and the mixing of predictions."""

from __future__ import annotations

from typing import Any, NamedTuple

from .jit import compiled, int64

Array = Any
"""A numpy array: numba finds out its dtype."""

LIMIT = 2816
"""The largest logit: 11, in units of 1/256."""
LEAST = 64
"""The least probability, in 2^-22."""


class Tables(NamedTuple):
    """Tables that ``trainers/coding/model.py`` makes."""

    stretches: Array
    """Logits of probabilities (4096,): of 64 i + 32, and then of 2048 i + 1024, in 2^-22."""
    squashes: Array
    """Probabilities in 2^-16 (2 LIMIT + 1,) of the logits from -LIMIT."""
    steps: Array
    """2^16 / (n + 3/2), by the number of bits that a state has seen (1024,)."""


@compiled
def clip(logit: int) -> int:
    """The nearest logit that there is."""
    return min(max(logit, -LIMIT), LIMIT)


@compiled
def bound(probability: int) -> int:
    """The nearest probability that a state may have."""
    return min(max(probability, LEAST), (1 << 22) - LEAST)


@compiled
def stretch(probability: int, stretches: Array) -> int:
    """The logit of a probability in 2^-22: the table is finer near zero and one."""
    if probability < 1 << 17:
        return int64(stretches[probability >> 6])
    if probability < (1 << 22) - (1 << 17):
        return int64(stretches[2048 + (probability >> 11)])
    return -int64(stretches[((1 << 22) - 1 - probability) >> 6])


@compiled
def share_of(total: int) -> int:
    """What ``ratio`` takes for a division by ``total``: about 2^32 / total, and in the lower six bits a shift."""
    shift = int64(0)
    while total >> shift >= 1 << 16:
        shift += 1
    return (((1 << 32) // (total >> shift)) << 6) | shift


@compiled
def ratio(part: int, share: int) -> int:
    """A probability in 2^-22: ``part``, in 2^-16, of the total whose ``share`` is given. It takes 32 bits by 32."""
    return bound((min(part >> (share & 63), (1 << 32) - 1) * (share >> 6)) >> 26)


@compiled
def learned(state: int, bit: int, limit: int, steps: Array) -> int:
    """``state`` after one more bit: its probability goes 1 / (n + 3/2) of the way; n stops at ``limit``."""
    seen, probability = state & 1023, state >> 10
    probability = bound(probability + ((((bit << 22) - probability) * steps[seen]) >> 16))
    return (probability << 10) | (seen + 1 if seen < limit else seen)


@compiled
def learn(states: Array, index: int, bit: int, limit: int, steps: Array) -> None:
    """Let one of ``states`` learn a bit."""
    states[index] = learned(int64(states[index]), bit, limit, steps)


@compiled
def meet(states: Array, index: int, probability: int, seen: int) -> None:
    """Let a state that was never met begin at a probability, as after ``seen`` bits."""
    if states[index] == 0:
        states[index] = (probability << 10) | seen


@compiled
def mixed(weights: Array, inputs: Array, number: int) -> int:
    """The logit that ``weights`` make of the first ``number`` of ``inputs``."""
    total = int64(0)
    for index in range(number):
        total += int64(weights[index]) * int64(inputs[index])
    return clip(total >> 16)


@compiled
def third_of(logits: int) -> int:
    """The mean of three logits, of which the sum is given."""
    return (logits * 21845) >> 16


@compiled
def correct(
    weights: Array, boosts: Array, chosen: int, inputs: Array, number: int, error: int, rate: int, calm: int
) -> None:
    """One step of gradient descent on the code length, for a set of weights that was off by ``error``, in 2^-16.

    Its rate is ``rate`` and a boost, in 2^-16, that decays by 2^-calm with each step.
    """
    step = error * (rate + (boosts[chosen] >> 16))
    for index in range(number):
        weights[chosen, index] += (int64(inputs[index]) * step + (1 << 23)) >> 24
    boosts[chosen] -= boosts[chosen] >> calm
