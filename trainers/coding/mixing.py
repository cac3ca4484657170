"""Mixes predictions of bits in integer arithmetic, with equal results everywhere: counters, logits, a gated mixer.

Logits are natural, in units of 1/256; probabilities are odd multiples of 2^-17. Tables come from integer arithmetic
alone, and sums are exact, so no result depends on the order of operations or on a library's logarithm.

References:
    Mahoney 2005, "Adaptive weighing of context models for lossless data compression", Florida Tech CS-2005-16:
    logistic mixing, equations 3 to 6.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

ONE = 1 << 16
"""Stands for probability 1 and for weight 1."""
LOGIT = 256
"""Stands for logit 1."""
MOST_BITS = 1 << 22
"""The most bits that a mixer takes at once.

Its errors are below 2^16 and logits below 2^12, so sums stay below 2^53; rates times ``_MOST`` are at most 2^13, so the
products fit int64.
"""
_LIMIT = 11 * LOGIT
_LN2 = 11629080  # ln 2 in 2^-24
_MANTISSA_BITS = 12


@functools.cache
def _log_table() -> Ints:
    """256 ln(1 + i / 4096), i = 0..4095, by squaring: each squaring yields one bit of the binary logarithm."""
    x = (np.arange(1 << _MANTISSA_BITS, dtype=np.int64) + (1 << _MANTISSA_BITS)) << (30 - _MANTISSA_BITS)
    log2 = np.zeros_like(x)
    for _ in range(20):
        x = (x * x) >> 30
        carry = x >> 31
        x >>= carry
        log2 = 2 * log2 + carry
    table: Ints = (log2 * _LN2 + (1 << 35)) >> 36  # 20 + 24 - 8 bits
    return table


@functools.cache
def _exponent_table() -> Ints:
    """256 ln(2^(i - 1023)), rounded."""
    return ((np.arange(2047, dtype=np.int64) - 1023) * _LN2 + (1 << 15)) >> 16


def logarithm(x: Ints, /) -> Ints:
    """256 ln(x), rounded, of integers 1 <= x < 2^53."""
    double = x.astype(np.float64).view(np.int64)  # exact: 52 bits of mantissa, above them the exponent + 1023
    index = (double >> (52 - _MANTISSA_BITS)) & ((1 << _MANTISSA_BITS) - 1)
    logarithms: Ints = _log_table()[index] + _exponent_table()[double >> 52]
    return logarithms


def logit(evidence: Ints, /) -> Ints:
    """The logit of ones / (ones + zeros); ``evidence`` (2, n) holds ones and zeros, all positive."""
    ones, zeros = logarithm(evidence)
    return _clip(ones - zeros)


@functools.cache
def _probability_table() -> Ints:
    odd = 2 * np.arange(ONE, dtype=np.int64) + 1
    ones, zeros = logarithm(np.stack((odd, 2 * ONE - odd)))
    return np.minimum(np.searchsorted(ones - zeros, np.arange(-_LIMIT, _LIMIT + 1)), ONE - 1).astype(np.int64)


def probability(logits: Ints, /) -> Ints:
    """The probability in units of 2^-16, from 0 to 2^16 - 1; the coder uses half a unit more."""
    return _probability_table()[_clip(logits) + _LIMIT]


def _clip(logits: Ints) -> Ints:
    return np.minimum(np.maximum(logits, -_LIMIT), _LIMIT)  # np.clip takes longer to start than this takes


class Counter:
    """How often a one and a zero occurred in each context: ``counts`` (2, contexts)."""

    def __init__(self, num_contexts: int) -> None:
        self.counts = np.zeros((2, num_contexts), np.int64)

    def logits(self, prior: Ints | int, strength: Ints | int) -> Ints:
        """The logit of a one in every context; the ``prior``, in 2^-16, counts as ``strength`` / 16 further bits."""
        return logit(evidence(self.counts, prior, strength))

    def count(self, contexts: Ints, bits: Ints) -> None:
        """Count ``bits`` (n,), each in its ``contexts`` (..., n)."""
        num_contexts = self.counts.shape[1]
        found = np.bincount((contexts + num_contexts * (1 - bits)).reshape(-1), minlength=2 * num_contexts)
        self.counts += found.reshape(2, num_contexts)


def evidence(counts: Ints, prior: Ints | int, strength: Ints | int, /) -> Ints:
    """Add ``strength`` / 16 bits of the ``prior`` to ``counts`` (2, n) of ones and zeros; what ``logit`` takes."""
    ones, zeros = counts << 20
    return np.stack((ones + strength * (prior + 1), zeros + strength * (ONE - prior)))


class Mixer:
    """A logistic regression over logits, learned online, with a set of weights for each value of a gate.

    Weights, logits and errors are whole numbers held as float64. With at most ``MOST_BITS`` bits at once their sums are
    below 2^53, so matrix products are exact in any order.
    """

    def __init__(self, start: Sequence[float], num_sets: int = 1) -> None:
        """``start``: the first weight of each input."""
        self._weights = np.array([[float(round(ONE * weight)) for weight in start]] * num_sets)
        self._seen = np.zeros(num_sets, np.int64)
        self._inputs, self._mixed = np.zeros((len(start), 0)), np.zeros(0, np.int64)
        self._gates: npt.NDArray[np.bool_] | None = None

    def mix(self, inputs: Ints, gate: Ints | None = None) -> Ints:
        """The mixed probability (n,) in 2^-16, from logits (inputs, n) and, if there are several sets, each bit's set.

        Args:
            inputs: logits (inputs, n).
            gate: the set of weights that each bit uses (n,); None if there is one set.
        """
        self._inputs = inputs.astype(np.float64)
        dots = self._weights @ self._inputs  # (sets, n)
        if gate is None:
            dot = dots[0]
        else:
            self._gates = np.arange(len(self._seen))[:, None] == gate
            dot = np.choose(gate, dots)
        self._mixed = probability(np.floor(dot / ONE).astype(np.int64))
        return self._mixed

    def learn(self, bits: Ints) -> None:
        """Take one step of gradient descent on the code length of ``bits`` (n,), which were mixed last."""
        errors = ((bits << 16) - self._mixed)[None].astype(np.float64)
        if self._gates is None:
            num_bits, num_ones = np.array([len(bits)]), bits.sum()
        else:
            errors = self._gates * errors
            num_bits, num_ones = self._gates.sum(axis=1), self._gates @ bits
        gradients = (errors @ self._inputs.T).astype(np.int64)
        rates = _RATE + _FIRST_RATE * _SOON // (_SOON + self._seen)
        # a sum over many bits would overshoot: more than _MOST count as _MOST times their mean
        self._weights += (gradients * (rates * _MOST)[:, None] // np.maximum(num_bits, _MOST)[:, None]) >> 24
        self._seen += num_ones


_RATE, _FIRST_RATE, _SOON, _MOST = 64, 192, 200, 32
