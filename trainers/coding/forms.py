"""How a tensor lies as a matrix: which rows and columns are stored, and what its columns are. A few bits in the stream.

Rows are the first axis and columns the others; a tensor of one axis is one row. Trailing rows and columns of zeros are
left out: after hidden units were sorted, whole units are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainers.coding.bytestream import RfzError
from trainers.coding.model import GRID, KERNELS, NUM_FORM_STATES, PLAIN, VECTOR, Shape
from trainers.coding.structure import MAX_WIDTH

Ints = npt.NDArray[np.int32]
CodeBit = Callable[[int, int], int]
"""(state, bit) -> bit: notes a bit under one of the states of forms, or reads it. State -1: it is even odds."""

_IS_STORED, _ALL_ROWS, _ALL_COLUMNS, _AS_EXPECTED, _IS_TRANSPOSED, _IS_GRID = range(NUM_FORM_STATES)
_WIDTH_BITS = 6


@dataclass(frozen=True, kw_only=True)
class Form:
    """How one tensor is stored."""

    num_rows: int = 0
    """Rows that are stored; 0 if all values are zero."""
    num_columns: int = 0
    width: int = 0
    """The columns of a line of the grid on which the columns lie, 3 to 64; 0 where there is none, and with kernels."""
    is_transposed: bool = False
    """Whether the matrix is coded column by column."""

    def shape(self, tensor: tuple[int, ...]) -> Shape:
        """What the model is told of the matrix as it is coded; ``tensor`` is the tensor's shape."""
        size = kernel_size(tensor)
        if len(tensor) < 2:
            return Shape(VECTOR, 1, 0)
        if size > 1:
            return Shape(KERNELS, size, tensor[-1] if len(tensor) > 3 and tensor[-1] > 2 else 0)
        return Shape(GRID if self.width else PLAIN, 1, self.width)


class Forms:
    """Codes the forms of a file's tensors, in their order: a matrix often has as many columns as the last had rows."""

    def __init__(self) -> None:
        self._last_rows, self._last_stored = 0, 0

    def copy(self) -> Forms:
        """One that knows the same."""
        other = Forms()
        other._last_rows, other._last_stored = self._last_rows, self._last_stored
        return other

    def code(self, tensor: tuple[int, ...], form: Form, code_bit: CodeBit) -> Form:
        """Code the form of a tensor of a shape; when reading, ``form`` may be any.

        Raises:
            RfzError: it is none that a tensor of this shape can have.
        """
        num_rows, num_columns = matrix_shape(tensor)
        is_matrix = len(tensor) > 1
        if not num_rows * num_columns or not code_bit(_IS_STORED, form.num_rows > 0):
            found = Form()
        else:
            rows = num_rows
            if is_matrix and not code_bit(_ALL_ROWS, form.num_rows == num_rows):
                rows = 1 + _number(form.num_rows - 1, num_rows, code_bit)
            found = Form(num_rows=rows, num_columns=self._columns(num_columns, form.num_columns, code_bit))
            if is_matrix and kernel_size(tensor) == 1:
                is_transposed = bool(code_bit(_IS_TRANSPOSED, form.is_transposed))
                width = 0
                if code_bit(_IS_GRID, form.width > 0):
                    width = 1 + _number(form.width - 1, MAX_WIDTH, code_bit)
                    length = rows if is_transposed else found.num_columns
                    if not 2 < width <= length:
                        raise RfzError(f"the file is malformed: a grid of width {width} where {length} columns are")
                found = Form(num_rows=rows, num_columns=found.num_columns, width=width, is_transposed=is_transposed)
        if is_matrix:
            self._last_rows, self._last_stored = num_rows, found.num_rows
        return found

    def _columns(self, num_columns: int, stored: int, code_bit: CodeBit) -> int:
        if code_bit(_ALL_COLUMNS, stored == num_columns):
            return num_columns
        each, rest = divmod(num_columns, self._last_rows) if self._last_rows else (0, 1)
        expected = self._last_stored * each
        if not rest and 0 < expected < num_columns and code_bit(_AS_EXPECTED, stored == expected):
            return expected
        return 1 + _number(stored - 1, num_columns, code_bit)


def matrix_shape(tensor: tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns) of a tensor: outputs by inputs; one row if it has one axis or none."""
    return (tensor[0], math.prod(tensor[1:])) if len(tensor) > 1 else (1, math.prod(tensor))


def kernel_size(tensor: tuple[int, ...]) -> int:
    """The number of columns of each input channel."""
    return math.prod(tensor[2:])


def as_matrix(values: Ints) -> Ints:
    """A tensor as a matrix."""
    return values.reshape(matrix_shape(values.shape))


def live_block(matrix: Ints) -> Ints:
    """``matrix`` without its trailing rows and columns of zeros."""
    if matrix.size and matrix[-1].any() and matrix[:, -1].any():
        return matrix
    rows, columns = np.flatnonzero(matrix.any(axis=1)), np.flatnonzero(matrix.any(axis=0))
    return matrix[: rows[-1] + 1, : columns[-1] + 1] if len(rows) else matrix[:0, :0]


def _number(number: int, end: int, code_bit: CodeBit) -> int:
    """Code a number from 0 to ``end`` - 1 in bits of even odds."""
    found = 0
    for place in range((end - 1).bit_length() - 1, -1, -1):
        found = 2 * found + code_bit(-1, (number >> place) & 1)
    if found >= end:
        raise RfzError(f"the file is malformed: {found + 1} rows, columns or widths where {end} may be")
    return found
