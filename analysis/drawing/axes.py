"""The frame of all figures and their axis of sizes, which is logarithmic with round ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing.style import INK
from analysis.units import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_TICK_SERIES = ((1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))


_MAX_TICKS = 7


def size_ticks(low: float, high: float, /, *, most: int = _MAX_TICKS) -> list[float]:
    """At most ``most`` round sizes in bytes within [low, high]: few enough that each can have a label."""
    decades = range(int(np.floor(np.log10(low))), int(np.floor(np.log10(high))) + 1)
    for series in _TICK_SERIES:
        ticks = [step * 10.0**decade for decade in decades for step in series if low <= step * 10.0**decade <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: -(-len(ticks) // most)]


def draw_size_axis(axes: Axes, limits: tuple[float, float], *, most_ticks: int) -> None:
    """Draw a logarithmic axis of sizes with round ticks."""
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    ticks = size_ticks(*limits, most=most_ticks)
    axes.set_xticks(ticks, labels=[format_size(tick, trim=True) for tick in ticks])
    axes.set_xticks([], minor=True)


def draw_frame(axes: Axes, font: float) -> None:
    """Draw pale grid lines behind everything, and no frame at the top and the right."""
    axes.tick_params(labelsize=font - 0.5, color="#999999", labelcolor=INK, length=3, width=0.6)
    axes.grid(color="#e8e8e8", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color="#999999", linewidth=0.6)
