"""Where one side of a comparison attains more often than the anchor, and where less: a figure for a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.attainment import difference
from analysis.compare import Comparison, Side
from analysis.compare_figure import ComparisonDrawing, prepare_comparison
from analysis.drawing import INK
from analysis.plots import draw_frame, draw_size_axis
from analysis.units import quality_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

_COLOURS = "PuOr"
"""Diverging, and told apart by the colour-blind: orange where the anchor attains more often, purple where less."""


def compared_with_seeds(comparison: Comparison) -> list[Side]:
    """The sides that a difference from the anchor can be drawn of: both have several seeds."""
    return [side for side in comparison.sides[1:] if side.seeds] if comparison.anchor.seeds else []


def difference_figure(comparison: Comparison, *, width_in: float = 5.5) -> Figure:
    """A panel for each side with seeds: over size and quality, the share of its seeds that attain less the anchor's.

    Args:
        comparison: of which ``compared_with_seeds`` is not empty.
        width_in: 3.5 fits one column of a two-column paper, 7 both.

    Source: López-Ibáñez, Paquete, Stützle 2010, "Exploratory analysis of stochastic local search algorithms in
    biobjective optimization", section 4.
    """
    from matplotlib.figure import Figure

    sides, drawing = compared_with_seeds(comparison), prepare_comparison(comparison)
    font = 6.5 if width_in < 4.5 else 8.0
    figure = Figure(figsize=(width_in, 0.5 * width_in * len(sides) + 0.5), layout="constrained", dpi=150)
    panels = figure.subplots(len(sides), 1, sharex=True, squeeze=False)[:, 0]
    for axes, side in zip(panels, sides, strict=True):
        boxes = _draw(axes, comparison, side, drawing)
        draw_size_axis(axes, drawing.size_limits, most_ticks=7 if width_in >= 4.5 else 5)
        axes.set_ylim(*drawing.quality_limits)
        axes.set_ylabel(drawing.quality_label, fontsize=font, color=INK, parse_math=False)
        draw_frame(axes, font)
        title = f"{side.name} against {comparison.anchor.name}"
        axes.set_title(title, loc="left", fontsize=font + 1, weight="bold", color=INK, parse_math=False)
    panels[-1].set_xlabel("File size", fontsize=font, color=INK)
    bar = figure.colorbar(boxes, ax=list(panels), ticks=[-1, -0.5, 0, 0.5, 1], aspect=30, pad=0.02)
    bar.ax.set_yticklabels(["only anchor", "-50 %", "equal", "+50 %", "only other"], fontsize=font - 0.5, color=INK)
    bar.set_label("share of seeds that attain this, less the anchor's", fontsize=font - 0.5, color=INK)
    return figure


def _draw(axes: Axes, comparison: Comparison, side: Side, drawing: ComparisonDrawing) -> PolyCollection:
    from matplotlib.collections import PolyCollection

    factor = quality_scale(comparison.quality_name)[0]
    found = difference(comparison.anchor.seeds, side.seeds, comparison.scale.reference)
    left, right = np.clip(found.size_bytes, *drawing.size_limits).T
    low, high = np.clip(factor * found.quality, *drawing.quality_limits).T
    corners: NDArray[np.float64] = np.stack(
        [np.stack([x, y], axis=1) for x, y in ((left, low), (right, low), (right, high), (left, high))], axis=1
    )  # (num_rectangles, 4, 2)
    boxes = PolyCollection(list(corners), array=found.share, cmap=_COLOURS, clim=(-1, 1), linewidths=0, gid="shares")
    axes.add_collection(boxes)
    return boxes
