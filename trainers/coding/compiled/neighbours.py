"""What lies around a value: those values of its row and of the two rows above that are known."""

from __future__ import annotations

from typing import NamedTuple

from .arithmetic import Array
from .jit import compiled, int64
from .learning import KERNELS, Shape

_LEVELS = 11


class Rows(NamedTuple):
    """Three rows of a matrix with a margin of zeros on both sides: (columns + 2 x margin,) int32."""

    row: Array
    above: Array
    above_2: Array


class Around(NamedTuple):
    """The values around one; zero where there is none."""

    left: int
    left_2: int
    up: int
    """One line of the grid or of the kernel before."""
    up_left: int
    up_right: int
    up_2: int
    earlier: int
    """At the same place of the kernel, one input channel before."""
    earlier_2: int
    over: int
    """In the row above."""
    over_left: int
    over_right: int
    over_2: int


@compiled
def around(rows: Rows, x: int, place: int, shape: Shape) -> Around:
    """The values around ``x``, a column with the margin before it, at a ``place`` of its kernel."""
    row, above, above_2, width = rows.row, rows.above, rows.above_2, shape.width
    left, left_2 = int64(row[x - 1]), int64(row[x - 2])
    up, up_left, up_right, up_2 = int64(0), int64(0), int64(0), int64(0)
    earlier, earlier_2 = int64(0), int64(0)
    if width:
        up, up_2 = int64(row[x - width]), int64(row[x - 2 * width])
        up_left, up_right = int64(row[x - width - 1]), int64(row[x - width + 1])
    if shape.kind == KERNELS:
        size = shape.kernel_size
        earlier, earlier_2 = int64(row[x - size]), int64(row[x - 2 * size])
        if width:  # what lies beyond an edge of the kernel is no neighbour
            line, on_line = place // width, place % width
            if on_line == 0:
                left, up_left = int64(0), int64(0)
            if on_line < 2:
                left_2 = int64(0)
            if on_line == width - 1:
                up_right = int64(0)
            if line == 0:
                up, up_left, up_right = int64(0), int64(0), int64(0)
            if line < 2:
                up_2 = int64(0)
    over, over_left, over_right = int64(above[x]), int64(above[x - 1]), int64(above[x + 1])
    return Around(
        left, left_2, up, up_left, up_right, up_2, earlier, earlier_2, over, over_left, over_right, int64(above_2[x])
    )


@compiled
def sums(near: Around) -> tuple[int, int]:
    """Weighted sums of the magnitudes in the row, and of those in other rows and channels."""
    in_row = 2 * (abs(near.left) + abs(near.up)) + abs(near.up_left) + abs(near.up_right)
    in_row += abs(near.left_2) + abs(near.up_2)
    others = 2 * (abs(near.over) + abs(near.earlier)) + abs(near.over_2) + abs(near.earlier_2)
    return in_row, others + abs(near.over_left) + abs(near.over_right)


@compiled
def num_near(near: Around) -> int:
    """How many of the six nearest values are not zero."""
    num = (near.left != 0) + (near.up != 0) + (near.up_left != 0) + (near.up_right != 0)
    return int64(num + (near.earlier != 0) + (near.over != 0))


@compiled
def level(magnitude: int) -> int:
    """The bucket of a magnitude, 0 to 11."""
    if magnitude < 5:
        return magnitude
    if magnitude < 10:
        return int64(5) if magnitude < 7 else int64(6)
    if magnitude < 20:
        return int64(7) if magnitude < 14 else int64(8)
    if magnitude < 40:
        return int64(9) if magnitude < 28 else int64(10)
    return int64(_LEVELS)


@compiled
def sign(value: int) -> int:
    """-1, 0 or 1."""
    return int64(value > 0) - int64(value < 0)
