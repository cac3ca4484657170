"""A comparison as a figure for a paper: a line of steps for each side, with the range of its seeds around it."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from analysis.comparison.compare import Comparison
from analysis.comparison.plot_data import BAND, ComparisonPlotData, Line, comparison_plot_data
from analysis.drawing.axes import draw_frame, draw_size_axis
from analysis.drawing.heading import UPRIGHT, Heading, upright
from analysis.drawing.legend import LegendColumn, curve, draw_legend, marker
from analysis.drawing.published_points import draw_curves
from analysis.drawing.quality_axis import draw_quality_axis
from analysis.drawing.style import INK, PRINTED
from analysis.units import quality_scale

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CHARACTER_EM = 0.6
"""A generous estimate of a character's mean width, in font sizes."""
_MARKER = 8
"""The width of a legend entry's marker and gaps, in characters."""


def comparison_figure(
    comparison: Comparison, *, title: str, width_in: float = 5.5, published: pd.DataFrame | None = None
) -> Figure:
    """Test quality over file size. A marker is the file that represents a configuration on a front.

    Args:
        comparison: what to draw.
        title: drawn as it is, never as mathematics, in as many lines as it needs.
        width_in: 3.5 fits one column of a two-column paper, 7 both.
        published: from ``read_published``; curves on the same images are drawn hollow and named as printed.
    """
    from matplotlib.figure import Figure

    plot = comparison_plot_data(comparison, published)
    font = 6.5 if width_in < 4.5 else 8.0
    columns = _legend(plot, font / 8, int(72 * width_in / (_CHARACTER_EM * (font - 0.5))))
    num_rows = max(sum(1 + text.count("\n") for text, _ in column) for column in columns)
    heading = Heading.of(title, plot.note, font=font, width_in=width_in)
    height_in = 0.56 * width_in + 0.4 + num_rows * font / 45 + heading.height_in
    figure = Figure(figsize=(width_in, height_in), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    draw_size_axis(axes, plot.size_limits, most_ticks=7 if width_in >= 4.5 else 5, unit=plot.size_unit)
    draw_quality_axis(axes, plot.axis)
    axes.set_xlabel(plot.size_unit.label, fontsize=font, color=INK)
    label = upright(plot.quality_label, UPRIGHT * width_in, font=font)
    axes.set_ylabel(label, fontsize=font, color=INK, parse_math=False)
    draw_frame(axes, font)
    factor = quality_scale(comparison.quality_name)[0]
    draw_curves(axes, plot.published, font / 8)
    for line in plot.lines:
        _draw(axes, line, plot, factor, font / 8)
    draw_legend(figure, columns, font)
    heading.draw(axes)
    return figure


def _draw(axes: Axes, line: Line, plot: ComparisonPlotData, factor: float, scale: float) -> None:
    right = plot.size_limits[1]
    if line.band is not None:
        # NaN: not every seed attains anything here, so the worst is the bad end of the axis
        bad = plot.axis.limits[0 if line.front.maximise else 1]
        edges = (np.nan_to_num(factor * line.band.worst, nan=bad), factor * line.band.best)
        worst, best = (np.append(edge, edge[-1]) for edge in edges)
        sizes = np.append(line.band.size_bytes, right)
        axes.fill_between(sizes, worst, best, step="post", color=line.colour, alpha=BAND, linewidth=0, gid="band")
    axes.plot(
        np.append(line.front.size_bytes, right),
        factor * np.append(line.front.quality, line.front.quality[-1]),
        drawstyle="steps-post",
        color=line.colour,
        linewidth=1.3 * scale,
        linestyle=line.dashes,
        gid="front",
    )
    style = marker(line.symbol, 0.8 * scale)
    places = line.files["file_size_bytes"], factor * line.files["file_quality"]
    axes.plot(*places, linestyle="none", color=line.colour, gid="files", **style)


def _legend(plot: ComparisonPlotData, scale: float, num_characters: int) -> list[LegendColumn]:
    """Columns of names, as many as there is room for."""
    entries: LegendColumn = [
        (
            "\n".join(textwrap.wrap(line.side.name + " (anchor)" * (index == 0), num_characters - _MARKER)),
            {
                "color": line.colour,
                "linestyle": line.dashes,
                "linewidth": 1.3 * scale,
                **marker(line.symbol, 0.8 * scale),
            },
        )
        for index, line in enumerate(plot.lines)
    ]
    printed: LegendColumn = [
        ("\n".join(textwrap.wrap(label, num_characters - _MARKER)), curve(symbol, scale))
        for label, symbol in sorted(set(zip(plot.published["label"], plot.published["marker"], strict=True)))
    ]
    if not printed:
        return _in_columns(entries, num_characters)
    room = num_characters - _width(entries)
    if room < _width(printed):
        return [[("Measured", {}), *entries, (PRINTED, {}), *printed]]
    first, *others = _in_columns(printed, room)
    return [[("Measured", {}), *entries], [(PRINTED, {}), *first], *([("", {}), *column] for column in others)]


def _in_columns(entries: LegendColumn, num_characters: int) -> list[LegendColumn]:
    num_rows = math.ceil(len(entries) / max(1, num_characters // _width(entries)))
    return [entries[start : start + num_rows] for start in range(0, len(entries), num_rows)]


def _width(entries: LegendColumn) -> int:
    """The characters of the longest line, and room for a marker."""
    return max(len(row) for text, _ in entries for row in text.splitlines()) + _MARKER
