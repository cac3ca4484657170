"""Codes matrices of integers adaptively with mixed contexts, a batch of columns at a time, each a vectorised step.

A matrix has a row for each output unit and a column for each input. A batch of columns is predicted from what came
before it: how dense each row has been, how dense earlier columns were, and the same row's values at neighbouring
columns, on a line and on a grid of ``width`` columns (the pixels of an image, the rows of a kernel). Each symbol is a
zero flag, a sign and a unary magnitude. The probability of each bit is mixed from several such contexts, and counts and
weights are updated after each batch.

References:
    Marpe, Schwarz, Wiegand 2003, "Context-based adaptive binary arithmetic coding in the H.264/AVC video compression
    standard": binarisation and contexts; Mahoney 2005 (see mixing.py): mixing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trainers.coding.mixing import LOGIT, MOST_BITS, ONE, Counter, Ints, Mixer, evidence, logit, probability
from trainers.coding.structure import MAX_WIDTH

__all__ = ["MAX_COARSENESS", "MOST_STEPS", "Ints", "Port", "code", "num_steps"]

Port = Callable[[Ints, Ints], Ints]
"""A function that encodes or decodes bits, so that both run the same model.

(probability of a one in 2^-16 (n,), bits (n,)) -> bits (n,): those given when encoding, those read when decoding.
"""

_MANY_BATCHES, _FEW_BATCHES, _LARGE = 1024, 512, 1 << 20
"""A large matrix is coded in fewer steps: that is faster and costs little, because its statistics are soon learned."""
MOST_STEPS = 1 << 13
"""The most steps of all matrices of a file together, above the greatest coarseness: they take about ten seconds."""
MAX_COARSENESS = 9
"""The coarseness with the fewest steps."""
_NUM_UNARY = 15
"""Larger magnitudes end in an exponential Golomb code."""
_MAX_MAGNITUDE = 1 << 31
_NUM_BUCKETS = 16
_CENTRES = ((np.arange(_NUM_BUCKETS) - _NUM_BUCKETS) << 7) + (1 << 6)
_NUM_NEAR = 6
_POWERS = 1 << np.arange(_NUM_NEAR)
_MORE_NEAR = np.array([1 + 3 * pattern.bit_count() for pattern in range(1 << _NUM_NEAR)])
"""How many times likelier each pattern of non-zero neighbours makes a non-zero."""
_FLAG_SIZES = np.array([1 << _NUM_NEAR, _NUM_BUCKETS**2, MAX_WIDTH + 1])
"""Numbers of contexts of a flag: which neighbours are non-zero, row's and column's density, position on the line."""
_FLAG_STRENGTHS = np.repeat([32, 32, 64], _FLAG_SIZES)
_NUM_SIGNS = 9
"""The number of pairs of signs that two neighbours can have."""
_LEVEL_SIZES = np.array([1, 5, 12, 5])
"""Numbers of contexts of a magnitude's bit: none, neighbours' magnitudes, mean of the row, non-zero neighbours."""


def code(values: npt.NDArray[np.int32], width: int, coarseness: int, port: Port, /) -> npt.NDArray[np.int32]:
    """Encode or decode ``values`` (rows, columns) through ``port``; returns the decoded values.

    Args:
        values: the values to encode; when decoding, any array of the right shape.
        width: the width of the grid that the columns lie on, line by line; 0 for no grid.
        coarseness: see ``num_steps``.
        port: the way to or from the coder.
    """
    num_rows, num_columns = values.shape
    walk = _Walk(num_rows, num_columns, width)
    length = num_steps(values.shape, coarseness)
    assert length, "the caller asks first whether there are steps"
    by_column = np.ascontiguousarray(values.T)
    for first in range(length):  # one column of each segment: those before it in the segment are known
        columns = np.arange(first, num_columns, length)
        walk.step(columns, by_column[columns].reshape(-1).astype(np.int64), port)
    return walk.decoded()


def num_steps(shape: tuple[int, ...], coarseness: int, /) -> int:
    """How many steps a matrix of ``shape`` (rows, columns) takes; 0 where one step would have too many bits.

    Each unit of ``coarseness``, 0 to ``MAX_COARSENESS``, halves the steps of a matrix with many columns.
    """
    num_rows, num_columns = shape
    num_batches = _FEW_BATCHES if num_rows * num_columns > _LARGE else _MANY_BATCHES
    num_segments = min(-(-num_columns // (num_batches >> coarseness)), MOST_BITS // num_rows)
    return -(-num_columns // num_segments) if num_segments else 0


class _Walk:
    """The coder's model: what is known before each batch of columns. A batch's cells are ordered column by column."""

    def __init__(self, num_rows: int, num_columns: int, width: int) -> None:
        self._num_rows, self._width = num_rows, width
        # the earlier columns that matter most: their distances, and the weights of their densities
        self._lags, self._shares = np.array([1, 2]), np.array([16, 8])
        if width > 2:
            self._lags = np.array([1, 2, width, width - 1, width + 1, 2 * width])
            self._shares = np.array([16, 8, 16, 8, 8, 8])
        self._margin = 2 * max(width, 1) + 2
        # (columns, rows), with empty columns before the first and after the last
        self._values = np.zeros((self._margin + num_columns + MAX_WIDTH, num_rows), np.int64)
        self._num_columns = num_columns
        self._column_nonzeros = np.zeros(self._margin + num_columns, np.int64)
        self._column_known = np.zeros(self._margin + num_columns, np.bool_)
        self._row_nonzeros = np.zeros(num_rows, np.int64)
        self._row_magnitudes = np.zeros(num_rows, np.int64)
        self._row_weights = _beside(np.ones(num_rows, np.int64))
        self._num_known = 0
        self._flag_counts = Counter(int(_FLAG_SIZES.sum()))
        self._flags = Mixer([0.25, 0.25, 0.15, 0.25, 0.25, 0.1, 0.0], num_sets=3)
        self._sign_counts = Counter(2 * _NUM_SIGNS + num_rows)
        self._signs = Mixer([0.4, 0.3, 0.3])
        self._level_counts = Counter(_NUM_UNARY * _LEVEL_SIZE)
        self._first_level, self._later_levels = Mixer([0.25] * 4), Mixer([0.25] * 4)
        self._lengths = Counter(33)

    def decoded(self) -> npt.NDArray[np.int32]:
        whole = self._values[self._margin : self._margin + self._num_columns].T
        return np.ascontiguousarray(whole).astype(np.int32)

    def step(self, columns: Ints, given: Ints, port: Port) -> None:
        """Code a batch of ``columns``, whose values are ``given`` (cells,)."""
        flags = self._code_flags(columns, (given != 0).astype(np.int64), port)
        cells = np.flatnonzero(flags)
        if len(cells):
            column, row = columns[cells // self._num_rows], cells % self._num_rows
            negative = self._code_signs(column, row, (given[cells] < 0).astype(np.int64), port)
            magnitudes = self._code_magnitudes(column, row, np.abs(given[cells]), port)
            self._values[self._margin + column, row] = np.where(negative == 1, -magnitudes, magnitudes)
            self._row_magnitudes += np.bincount(row, magnitudes, self._num_rows).astype(np.int64)
        flags = flags.reshape(len(columns), -1)
        self._column_nonzeros[self._margin + columns] = flags.sum(axis=1)
        self._column_known[self._margin + columns] = True
        self._row_nonzeros += flags.sum(axis=0)
        self._num_known += len(columns)

    def _at(self, column: Ints, row: Ints, lag: int) -> Ints:
        """The values ``lag`` columns before, zero where not yet known."""
        found: Ints = self._values[self._margin + column - lag, row]
        return found

    def _code_flags(self, columns: Ints, given: Ints, port: Port) -> Ints:
        num_rows, width, num_columns = self._num_rows, self._width, len(columns)
        ones = self._row_nonzeros.sum()
        overall = np.array([[16 * ones + 6], [16 * (self._num_known * num_rows - ones) + 160]])
        p_overall = int(ONE * overall[0, 0] // overall.sum()) or 1
        around = self._margin + columns - self._lags[:, None]  # (lags, columns)
        logits = logit(
            np.concatenate((overall, self._row_evidence(p_overall), self._column_evidence(around, p_overall)), axis=1)
        )
        overall_logit, row_logits, column_logits = logits[0], logits[1 : 1 + num_rows], logits[1 + num_rows :]

        near = (self._values[around] != 0).reshape(len(around), -1)
        pattern, num_near = _POWERS[: len(near)] @ near, near.sum(axis=0)
        buckets = (_bucket(column_logits)[:, None] * _NUM_BUCKETS + _bucket(row_logits)).reshape(-1)
        position = np.repeat(columns % width if width else np.zeros_like(columns), num_rows)
        contexts = np.stack((pattern, buckets, position)) + _FLAG_STARTS
        likelier = np.minimum(p_overall * _MORE_NEAR, ONE // 2)
        expected = probability((_CENTRES[:, None] + _CENTRES - overall_logit).reshape(-1))
        prior = np.concatenate((likelier, expected, np.full(_FLAG_SIZES[-1], p_overall)))
        counted = self._flag_counts.logits(prior, _FLAG_STRENGTHS)[contexts]

        inputs = np.empty((7, len(given)), np.int64)
        inputs[0].reshape(num_columns, num_rows)[:] = row_logits
        inputs[1].reshape(num_columns, num_rows)[:] = column_logits[:, None]
        inputs[2] = overall_logit
        inputs[3:6] = counted
        inputs[6] = np.minimum(num_near, 3) * LOGIT
        flags = port(self._flags.mix(inputs, np.minimum(num_near, 2)), given)
        self._flags.learn(flags)
        self._flag_counts.count(contexts, flags)
        return flags

    def _row_evidence(self, p_overall: int) -> Ints:
        """Evidence of each row's density so far; the rows beside it are the prior, because rows are sorted."""
        beside = _beside(self._row_nonzeros)
        expected = ((beside + 8) << 16) // (self._row_weights * self._num_known + 8 * ONE // p_overall)
        counts = np.stack((self._row_nonzeros, self._num_known - self._row_nonzeros))
        return evidence(counts, np.minimum(expected, ONE - 1), 48)

    def _column_evidence(self, around: Ints, p_overall: int) -> Ints:
        """Evidence of each column's density: that of the columns before it, on the line and on the grid."""
        ones = self._shares @ self._column_nonzeros[around]
        seen = self._shares @ self._column_known[around] * self._num_rows
        return evidence(np.stack((ones, seen - ones)), p_overall, 32 << 4) >> 4

    def _code_signs(self, column: Ints, row: Ints, given: Ints, port: Port) -> Ints:
        width = max(self._width, 1)
        lags = np.array([1, self._width or 2, width + 1, max(width - 1, 1)])
        left, up, corner, other = np.sign(self._values[self._margin + column - lags[:, None], row])
        contexts = np.stack((3 * left + up + 4, 3 * corner + other + (4 + _NUM_SIGNS), row + 2 * _NUM_SIGNS))
        negative = port(self._signs.mix(self._sign_counts.logits(ONE // 2, 32)[contexts]), given)
        self._signs.learn(negative)
        self._sign_counts.count(contexts, negative)
        return negative

    def _code_magnitudes(self, column: Ints, row: Ints, given: Ints, port: Port) -> Ints:
        """Code magnitudes in unary up to ``_NUM_UNARY``; what is beyond goes to ``_code_remainders``."""
        left, up = np.abs(self._at(column, row, 1)), np.abs(self._at(column, row, self._width or 2))
        around = np.minimum(left + up, 4)
        mean = (4 * self._row_magnitudes[row] + 4) // (self._row_nonzeros[row] + 1)
        mean_level = np.minimum(np.maximum(mean - 2, 0), 11)
        nonzeros = np.minimum((left > 0) + (up > 0) + 2 * (self._row_nonzeros[row] * 8 > self._num_known), 4)
        contexts = np.stack((np.zeros_like(around), around, mean_level, nonzeros)) + _LEVEL_STARTS
        counts = self._level_counts.counts.reshape(2, _NUM_UNARY, _LEVEL_SIZE)
        overall = probability(logit(evidence(counts[:, :, 0], ONE // 3, 32)))
        logits = self._level_counts.logits(np.repeat(overall, _LEVEL_SIZE), 48)
        magnitudes = np.ones_like(given)
        open_ = np.arange(len(given))
        for level in range(1, _NUM_UNARY + 1):
            mixer = self._first_level if level == 1 else self._later_levels
            more = port(mixer.mix(logits[contexts]), (given[open_] > level).astype(np.int64))
            mixer.learn(more)
            self._level_counts.count(contexts, more)
            goes_on = more == 1
            open_ = open_[goes_on]
            if not len(open_):
                return magnitudes
            contexts = contexts[:, goes_on] + _LEVEL_SIZE
            magnitudes[open_] += 1
        magnitudes[open_] += self._code_remainders(given[open_] - _NUM_UNARY - 1, port)
        return magnitudes

    def _code_remainders(self, given: Ints, port: Port) -> Ints:
        """Code as exponential Golomb: length of ``given`` + 1 in unary, adaptively, then its lower bits as they are."""
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


def _starts(sizes: Ints) -> Ints:
    """The index (kinds, 1) at which each kind of context begins in a counter that holds all kinds."""
    starts: Ints = (np.cumsum(sizes) - sizes)[:, None]
    return starts


_FLAG_STARTS, _LEVEL_STARTS, _LEVEL_SIZE = _starts(_FLAG_SIZES), _starts(_LEVEL_SIZES), int(_LEVEL_SIZES.sum())


def _beside(counts: Ints) -> Ints:
    """The weighted sum over the two rows on either side: the nearer ones count twice as much."""
    return np.convolve(counts, [4, 8, 0, 8, 4])[2:-2]


def _bucket(logits: Ints) -> Ints:
    buckets: Ints = np.clip((logits >> 7) + _NUM_BUCKETS, 0, _NUM_BUCKETS - 1)
    return buckets
