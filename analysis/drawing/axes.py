"""The axes of all figures: logarithmic sizes at round ticks, and a quality axis that no collapse flattens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from analysis.drawing.style import INK
from analysis.units import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_TICK_SERIES = ((1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))


_MAX_TICKS = 7


_NO_COLLAPSE = 0.1


def quality_limits(quality: ArrayLike, on_front: ArrayLike, /, *, maximise: bool) -> tuple[tuple[float, float], float]:
    """The two ends of the quality axis, and the worst quality that is drawn in place.

    A network that collapsed (12 % among points of 97 to 99 %) would flatten the rest into a line, so the axis may end
    above it. Losses are counted from the best point. The axis follows the front down from the best, until a loss is
    more than four times the one before and more than a tenth of the best quality: a collapse, not a trade-off. It then
    leaves as much room again for dominated points. At least half of the front and half of all points are always in
    place. Points beyond the end are drawn at the edge, as triangles, and counted in the figure's note.

    Args:
        quality: (num_points,).
        on_front: (num_points,), bool.
        maximise: the direction of ``quality``.
    """
    values = np.asarray(quality, dtype=np.float64)
    best = np.max(values) if maximise else np.min(values)
    losses = np.abs(best - values)  # (num_points,), 0 for the best
    front = np.sort(losses[np.asarray(on_front, dtype=bool)])
    reach = front[0] if front.size else 0.0
    for index, loss in enumerate(front):
        if index >= (front.size + 1) // 2 and loss > max(4 * reach, _NO_COLLAPSE * abs(best)):
            break
        reach = loss
    reach = max(2 * reach, float(np.median(losses)))
    worst = float(np.min(values[losses <= reach]) if maximise else np.max(values[losses <= reach]))
    margin = 0.06 * (abs(best - worst) or 0.1 * abs(best) or 1.0)
    low, high = sorted((float(best), worst))
    return (low - margin, high + margin), worst


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
