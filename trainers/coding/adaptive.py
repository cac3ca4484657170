"""Adaptive coding of integer matrices with mixed contexts: column by column, each column one vectorised step.

A matrix has a row for each output unit and a column for each input. Within a batch of columns all that is known is
what came before: how dense each row has been, how dense earlier columns were, and the same row's values at the
neighbouring columns, on a line and on a grid of ``width`` columns (the pixels of an image, the rows of a kernel).
Each symbol is a zero flag, a sign and a unary magnitude; each bit has a probability mixed from several such contexts,
and counts and weights are updated after each batch.

References:
    Marpe, Schwarz, Wiegand 2003, "Context-based adaptive binary arithmetic coding in the H.264/AVC video compression
    standard": binarisation and contexts; Mahoney 2005 (see mixing.py): mixing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trainers.coding.mixing import LOGIT, MOST_BITS, ONE, Counter, Ints, Mixer, logit, probability
from trainers.coding.structure import MAX_WIDTH

__all__ = ["Ints", "Port", "code", "num_steps"]

Port = Callable[[Ints, Ints], Ints]
"""(probability of a one in 2^-16 (n,), bits (n,)) -> bits (n,): those given when encoding, those read when decoding."""

_MANY_BATCHES, _FEW_BATCHES, _LARGE = 1024, 512, 1 << 20
"""A large matrix is coded in fewer steps: faster, at little cost where all there is to learn is soon known."""
_NUM_UNARY = 15
"""Larger magnitudes end in an exponential Golomb code."""
_MAX_MAGNITUDE = 1 << 31
_NUM_BUCKETS = 16
_CENTRES = ((np.arange(_NUM_BUCKETS) - _NUM_BUCKETS) << 7) + (1 << 6)
_NUM_NEAR = 6
_MORE_NEAR = np.array([1 + 3 * pattern.bit_count() for pattern in range(1 << _NUM_NEAR)])
"""Neighbours make a non-zero likelier; by pattern."""


def code(values: npt.NDArray[np.int32], width: int, port: Port, /) -> npt.NDArray[np.int32]:
    """Pass the bits of ``values`` (rows, columns) through ``port``; what they say after it.

    Args:
        values: what to encode; when decoding, anything of the right shape.
        width: of the grid that the columns lie on, line by line; 0 for none.
        port: to or from the coder.
    """
    num_rows, num_columns = values.shape
    walk = _Walk(num_rows, num_columns, width)
    length = num_steps(values.shape)
    assert length, "the caller asks first whether there are steps"
    for first in range(length):  # of each segment one column, whose neighbours in the segment are known
        columns = np.arange(first, num_columns, length)
        walk.step(columns, values.T[columns].reshape(-1).astype(np.int64), port)
    return walk.decoded()


def num_steps(shape: tuple[int, int], /) -> int:
    """How many steps a matrix of ``shape`` (rows, columns) takes; 0 where one step would have too many bits."""
    num_rows, num_columns = shape
    num_batches = _FEW_BATCHES if num_rows * num_columns > _LARGE else _MANY_BATCHES
    num_segments = -(-num_columns // num_batches)
    return -(-num_columns // num_segments) if num_rows * num_segments <= MOST_BITS else 0


class _Walk:
    """What is known before each batch of columns. Cells of a batch are ordered column by column."""

    def __init__(self, num_rows: int, num_columns: int, width: int) -> None:
        self._num_rows, self._width = num_rows, width
        self._margin = 2 * max(width, 1) + 2
        # (columns, rows), with empty columns before the first and after the last
        self._values = np.zeros((self._margin + num_columns + MAX_WIDTH, num_rows), np.int64)
        self._num_columns = num_columns
        self._column_nonzeros = np.zeros(num_columns, np.int64)
        self._column_known = np.zeros(num_columns, np.bool_)
        self._row_nonzeros = np.zeros(num_rows, np.int64)
        self._row_magnitudes = np.zeros(num_rows, np.int64)
        self._num_known = 0
        self._patterns, self._positions = Counter(1 << _NUM_NEAR), Counter(MAX_WIDTH + 1)
        self._densities = Counter(_NUM_BUCKETS**2)
        self._flags = Mixer([0.25, 0.25, 0.15, 0.25, 0.25, 0.1, 0.0], num_sets=3)
        self._sign_neighbours, self._sign_corners, self._sign_rows = Counter(9), Counter(9), Counter(num_rows)
        self._signs = Mixer([0.4, 0.3, 0.3])
        self._levels = [[Counter(size) for size in (1, 5, 12, 5)] for _ in range(_NUM_UNARY)]
        self._magnitudes = Mixer([0.25, 0.25, 0.25, 0.25], num_sets=2)
        self._lengths = Counter(33)

    def decoded(self) -> npt.NDArray[np.int32]:
        whole = self._values[self._margin : self._margin + self._num_columns].T
        return np.ascontiguousarray(whole).astype(np.int32)

    def step(self, columns: Ints, given: Ints, port: Port) -> None:
        """Code some ``columns``, whose values are ``given`` (cells,)."""
        flags = self._code_flags(columns, (given != 0).astype(np.int64), port)
        cells = np.flatnonzero(flags)
        column, row = columns[cells // self._num_rows], cells % self._num_rows
        negative = self._code_signs(column, row, (given[cells] < 0).astype(np.int64), port)
        magnitudes = self._code_magnitudes(column, row, np.abs(given[cells]), port)
        signed = np.where(negative == 1, -magnitudes, magnitudes)
        self._values[self._margin + column, row] = signed
        flags = flags.reshape(len(columns), -1)
        self._column_nonzeros[columns] = flags.sum(axis=1)
        self._column_known[columns] = True
        self._row_nonzeros += flags.sum(axis=0)
        self._row_magnitudes += np.bincount(row, magnitudes, len(self._row_nonzeros)).astype(np.int64)
        self._num_known += len(columns)

    def _at(self, column: Ints, row: Ints, lag: int) -> Ints:
        """Values ``lag`` columns before, zero where not yet known."""
        found: Ints = self._values[self._margin + column - lag, row]
        return found

    def _code_flags(self, columns: Ints, given: Ints, port: Port) -> Ints:
        rows, width, num_columns = self._num_rows, self._width, len(columns)
        overall_ones, seen = self._row_nonzeros.sum(), self._num_known * rows
        overall = int(logit(np.array([16 * overall_ones + 6]), np.array([16 * (seen - overall_ones) + 160]))[0])
        p_overall = int((ONE * (16 * overall_ones + 6)) // (16 * seen + 166)) or 1
        of_row = self._row_logits(p_overall)
        of_column = self._column_logits(columns, p_overall)

        near = [self._values[self._margin + columns - lag] != 0 for lag in self._lags()]
        pattern = sum((flag.astype(np.int64) << bit for bit, flag in enumerate(near)), start=np.zeros((), np.int64))
        pattern = np.broadcast_to(pattern, (num_columns, rows)).reshape(-1)
        num_near = sum((flag.astype(np.int64) for flag in near), start=np.zeros((num_columns, rows), np.int64))
        num_near = num_near.reshape(-1)

        buckets = (_bucket(of_column)[:, None] * _NUM_BUCKETS + _bucket(of_row)).reshape(-1)
        expected = probability((_CENTRES[:, None] + _CENTRES - overall).reshape(-1))
        position = columns % width if width else np.zeros_like(columns)
        inputs = [
            np.tile(of_row, num_columns),
            np.repeat(of_column, rows),
            overall,
            self._patterns.logits(np.minimum(p_overall * _MORE_NEAR, ONE // 2), 32)[pattern],
            self._densities.logits(expected, 32)[buckets],
            np.repeat(self._positions.logits(p_overall, 64)[position], rows),
            np.minimum(num_near, 3) * LOGIT,
        ]
        flags = port(self._flags.mix(inputs, np.minimum(num_near, 2), len(given)), given)
        self._flags.learn(flags)
        self._patterns.count(pattern, flags)
        self._densities.count(buckets, flags)
        self._positions.count(np.repeat(position, rows), flags)
        return flags

    def _lags(self) -> tuple[int, ...]:
        width = self._width
        return (1, 2, width, width - 1, width + 1, 2 * width) if width > 2 else (1, 2)

    def _row_logits(self, p_overall: int) -> Ints:
        """Density of each row so far, as expected from the rows beside it: they are sorted."""
        ones, known = self._row_nonzeros, self._num_known
        beside, weight = np.zeros_like(ones), np.zeros_like(ones)
        for distance, share in ((1, 8), (2, 4)):
            if len(ones) > distance:
                beside[distance:] += share * ones[:-distance]
                beside[:-distance] += share * ones[distance:]
                weight[distance:] += share
                weight[:-distance] += share
        expected = ((beside + 8) << 16) // (weight * known + 8 * ONE // p_overall)
        expected = np.minimum(expected, ONE - 1)
        return logit((ones << 20) + 48 * (expected + 1), ((known - ones) << 20) + 48 * (ONE - expected))

    def _column_logits(self, columns: Ints, p_overall: int) -> Ints:
        """Density of the columns before, and of those around on the grid."""
        ones, seen = np.zeros(len(columns), np.int64), np.zeros(len(columns), np.int64)
        for lag, share in zip(self._lags(), (16, 8, 16, 8, 8, 8), strict=False):
            before = np.maximum(columns - lag, 0)
            known = (columns >= lag) & self._column_known[before]
            ones += np.where(known, share * self._column_nonzeros[before], 0)
            seen += np.where(known, share * self._num_rows, 0)
        return logit((ones << 16) + 32 * (p_overall + 1), ((seen - ones) << 16) + 32 * (ONE - p_overall))

    def _code_signs(self, column: Ints, row: Ints, given: Ints, port: Port) -> Ints:
        if not len(column):
            return given
        left, up = np.sign(self._at(column, row, 1)), np.sign(self._at(column, row, self._width or 2))
        neighbours = 3 * left + up + 4
        width = max(self._width, 1)
        corners = 3 * np.sign(self._at(column, row, width + 1)) + np.sign(self._at(column, row, max(width - 1, 1))) + 4
        contexts = ((self._sign_neighbours, neighbours), (self._sign_corners, corners), (self._sign_rows, row))
        inputs = [counter.logits(ONE // 2, 32)[chosen] for counter, chosen in contexts]
        negative = port(self._signs.mix(inputs, 0, len(row)), given)
        self._signs.learn(negative)
        for counter, chosen in contexts:
            counter.count(chosen, negative)
        return negative

    def _code_magnitudes(self, column: Ints, row: Ints, given: Ints, port: Port) -> Ints:
        """Unary up to ``_NUM_UNARY``, then the length and the bits of what is beyond."""
        magnitudes = np.ones_like(given)
        left, up = np.abs(self._at(column, row, 1)), np.abs(self._at(column, row, self._width or 2))
        around = np.minimum(left + up, 4)
        mean = (4 * self._row_magnitudes[row] + 4) // (self._row_nonzeros[row] + 1)
        of_row = np.minimum(np.maximum(mean - 2, 0), 11)
        nonzeros = np.minimum((left > 0) + (up > 0) + 2 * (self._row_nonzeros[row] * 8 > self._num_known), 4)
        contexts = [np.zeros_like(around), around, of_row, nonzeros]
        open_ = np.arange(len(given))
        for level, counters in enumerate(self._levels, start=1):
            if not len(open_):
                return magnitudes
            overall = probability(counters[0].logits(ONE // 3, 32))
            inputs = [counter.logits(overall, 48)[chosen] for counter, chosen in zip(counters, contexts, strict=True)]
            mixed = self._magnitudes.mix(inputs, int(level > 1), len(open_))
            more = port(mixed, (given[open_] > level).astype(np.int64))
            self._magnitudes.learn(more)
            for counter, chosen in zip(counters, contexts, strict=True):
                counter.count(chosen, more)
            goes_on = more == 1
            open_, contexts = open_[goes_on], [chosen[goes_on] for chosen in contexts]
            magnitudes[open_] += 1
        if len(open_):
            magnitudes[open_] += self._code_remainders(given[open_] - _NUM_UNARY - 1, port)
        return magnitudes

    def _code_remainders(self, given: Ints, port: Port) -> Ints:
        """Exponential Golomb: the binary length of given + 1 in unary, adaptively, then its lower bits as they are."""
        shifted = given + 1
        lengths = np.zeros_like(given)
        open_ = np.arange(len(given))
        for length in range(32):
            context = np.full(len(open_), length)
            more = port(
                probability(self._lengths.logits(ONE // 2, 32)[context]),
                ((shifted[open_] >> length) > 1).astype(np.int64),
            )
            self._lengths.count(context, more)
            open_ = open_[more == 1]
            lengths[open_] += 1
            if not len(open_):
                break
        found = np.ones_like(given)
        for bit in range(int(lengths.max()) - 1, -1, -1):
            holds = np.flatnonzero(lengths > bit)
            half = np.full(len(holds), ONE // 2)
            found[holds] = 2 * found[holds] + port(half, (shifted[holds] >> bit) & 1)
        return np.minimum(found - 1, _MAX_MAGNITUDE - _NUM_UNARY - 1)


def _bucket(logits: Ints) -> Ints:
    buckets: Ints = np.clip((logits >> 7) + _NUM_BUCKETS, 0, _NUM_BUCKETS - 1)
    return buckets
