"""Where one side of a comparison attains more often than the anchor, and where less: a figure for a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.comparison.compare import Comparison, Side
from analysis.comparison.plot_data import ComparisonPlotData, comparison_plot_data
from analysis.drawing.axes import draw_frame, draw_size_axis
from analysis.drawing.heading import Heading, lines, upright
from analysis.drawing.quality_axis import draw_quality_axis
from analysis.drawing.style import INK
from analysis.fronts.attainment import difference
from analysis.units import quality_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

_COLOURS = "PuOr"
"""A diverging map for all eyes: orange where the anchor attains more often, purple where it attains less often."""


_MOST_IN_A_COLUMN = 3


def compared_with_seeds(comparison: Comparison) -> list[Side]:
    """The sides whose difference from the anchor can be drawn: both need several seeds."""
    return [side for side in comparison.sides[1:] if side.seeds] if comparison.anchor.seeds else []


def difference_figure(comparison: Comparison, *, width_in: float = 5.5) -> Figure:
    """One panel for each side with seeds: the share of its seeds that attain a size and quality, less the anchor's.

    Args:
        comparison: at least one side must be in ``compared_with_seeds``.
        width_in: 3.5 fits one column of a two-column paper, 7 both.

    Source: López-Ibáñez, Paquete, Stützle 2010, "Exploratory analysis of stochastic local search algorithms in
    biobjective optimization", section 4.
    """
    from matplotlib.figure import Figure

    sides, plot = compared_with_seeds(comparison), comparison_plot_data(comparison)
    font = 6.5 if width_in < 4.5 else 8.0
    num_columns = 1 if len(sides) <= _MOST_IN_A_COLUMN else 3 if width_in >= 4.5 else 2
    num_rows = -(-len(sides) // num_columns)
    headings = [
        Heading.of(
            side.name if num_columns > 1 else f"{side.name} against {comparison.anchor.name}",
            "",
            font=font,
            width_in=width_in / num_columns,
        )
        for side in sides
    ]
    height_in = (0.5 if num_columns == 1 else 0.9) * width_in / num_columns * num_rows + 0.6
    height_in += sum(heading.height_in for heading in headings) / num_columns
    figure = Figure(figsize=(width_in, height_in), layout="constrained", dpi=150)
    grid = figure.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for place, (axes, side, heading) in enumerate(zip(panels, sides, headings, strict=False)):
        boxes = _draw(axes, comparison, side, plot)
        most_ticks = (7 if width_in >= 4.5 else 5) // num_columns + 1
        draw_size_axis(axes, plot.size_limits, most_ticks=most_ticks, unit=plot.size_unit)
        draw_quality_axis(axes, plot.axis)
        draw_frame(axes, font)
        heading.draw(axes)
        is_lowest = place + num_columns >= len(sides)
        axes.tick_params(labelbottom=is_lowest, labelleft=place % num_columns == 0)
        if is_lowest:
            axes.set_xlabel(plot.size_unit.label, fontsize=font, color=INK)
    for axes in panels[len(sides) :]:
        axes.set_axis_off()
    label = upright(plot.quality_label, (0.4 if num_columns == 1 else 0.7) * width_in / num_columns, font=font)
    for axes in grid[:, 0]:
        axes.set_ylabel(label, fontsize=font, color=INK, parse_math=False)
    bar = figure.colorbar(
        boxes, ax=panels, ticks=[-1, -0.5, 0, 0.5, 1], location="bottom", aspect=50, pad=0.02, fraction=0.05
    )
    bar.ax.set_xticklabels(["only anchor", "-50 %", "equal", "+50 %", "only other"], fontsize=font - 0.5, color=INK)
    bar.set_label(
        "\n".join(
            lines(f"share of seeds that attain this, less {comparison.anchor.name}'s", 65 * width_in, size=font - 0.5)
        ),
        fontsize=font - 0.5,
        color=INK,
        parse_math=False,
    )
    return figure


def _draw(axes: Axes, comparison: Comparison, side: Side, plot: ComparisonPlotData) -> PolyCollection:
    from matplotlib.collections import PolyCollection

    factor = quality_scale(comparison.quality_name)[0]
    found = difference(comparison.anchor.seeds, side.seeds, comparison.scale.reference)
    left, right = np.clip(found.size_bytes, *plot.size_limits).T
    low, high = np.clip(factor * found.quality, *plot.axis.limits).T
    corners: NDArray[np.float64] = np.stack(
        [np.stack([x, y], axis=1) for x, y in ((left, low), (right, low), (right, high), (left, high))], axis=1
    )  # (num_rectangles, 4, 2)
    boxes = PolyCollection(list(corners), array=found.share, cmap=_COLOURS, clim=(-1, 1), linewidths=0, gid="shares")
    axes.add_collection(boxes)
    return boxes
