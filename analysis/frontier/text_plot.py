"""A frontier in characters, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.fronts.pareto import nondominated
from analysis.units import format_quality, format_size

_FRONT, _DOMINATED = "●", "·"


def frontier_text(
    size_bytes: Sequence[float],
    quality: Sequence[float],
    *,
    quality_name: str,
    maximise: bool,
    width: int = 60,
    height: int = 10,
) -> list[str]:
    """A plot of quality over the logarithm of bytes, as lines of text: points on the front are filled dots.

    Args:
        size_bytes: (num_points,), positive and finite.
        quality: (num_points,), finite.
        quality_name: the name of the quality, which decides how it is written.
        maximise: the direction of quality.
        width: the width of the field of dots, in characters.
        height: its height, in lines.

    Returns:
        ``height`` + 2 lines with labels; no line where there is no point.
    """
    if not size_bytes:
        return []
    front = nondominated(size_bytes, quality, maximise=maximise)
    logs = [math.log10(size) for size in size_bytes]
    (left, right), (low, high) = ((min(values), max(values)) for values in (logs, quality))
    field = [[" "] * width for _ in range(height)]
    order = sorted(range(len(logs)), key=lambda index: bool(front[index]))  # the front is drawn over the others
    for index in order:
        column = _cell(logs[index], left, right, width)
        line = height - 1 - _cell(quality[index], low, high, height)
        field[line][column] = _FRONT if front[index] else _DOMINATED
    labels = [""] * height
    labels[0] = format_quality(high, quality_name)
    labels[-1] = format_quality(low, quality_name)
    margin = max(map(len, labels))
    smallest, largest = format_size(min(size_bytes)), format_size(max(size_bytes))
    plot = [f"{label:>{margin}} │{''.join(line)}" for label, line in zip(labels, field, strict=True)]
    axis = f"{'':>{margin}} └{'─' * width}"
    return [*plot, axis, f"{'':>{margin}}  {smallest}{largest:>{max(width - len(smallest), len(largest) + 1)}}"]


def _cell(value: float, low: float, high: float, num_cells: int) -> int:
    """The index of the cell between ``low`` and ``high`` that holds ``value``; the middle one without a range."""
    if high == low:
        return num_cells // 2
    return min(int((value - low) / (high - low) * num_cells), num_cells - 1)
