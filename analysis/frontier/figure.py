"""The frontier as a figure for a paper. No maths, no files: ``figure.savefig`` writes PNG, SVG or PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.drawing.axes import draw_frame, draw_size_axis
from analysis.drawing.beyond import ARROW_AT, MARKER_AT, TEXT_AT, edge_texts
from analysis.drawing.heading import UPRIGHT, Heading, upright
from analysis.drawing.legend import arrow, draw_legend, hollow, marker
from analysis.drawing.published_points import draw_curves
from analysis.drawing.quality_axis import draw_quality_axis
from analysis.drawing.style import DOTS, GREY, INK, PALE
from analysis.frontier.legend import legend_columns
from analysis.frontier.plot_data import FrontierPlotData, frontier_plot_data
from analysis.keys import REFERENCE_METHOD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def frontier_figure(
    configurations: pd.DataFrame,
    points: pd.DataFrame,
    *,
    title: str,
    width_in: float = 5.5,
    published: pd.DataFrame | None = None,
) -> Figure:
    """Test quality over file size, with the frontier as a step line; of a signal quality over bits for each sample.

    A configuration is drawn where its representative file is. Validation decides which configurations are on the
    front, so the line, drawn at test quality, may fall where the two splits disagree: there it is dotted. A file
    beyond the quality axis has an arrow in a strip of its own, with its method's marker and its value.

    Args:
        configurations: from ``summarise``.
        points: what ``summarise`` was given; bars show the range over their seeds.
        title: drawn as it is, never as mathematics, in as many lines as it needs.
        width_in: 3.5 fits one column of a two-column paper, 7 both.
        published: from ``read_published``; rows that belong beside the others are drawn hollow and named as printed.
    """
    from matplotlib.figure import Figure

    plot = frontier_plot_data(configurations, points, published)
    font = 6.5 if width_in < 4.5 else 8.0
    columns = legend_columns(plot, font, width_in)
    num_rows = max(sum(1 + text.count("\n") for text, _ in column) for column in columns)
    heading = Heading.of(title, plot.note, font=font, width_in=width_in)
    height_in = 0.56 * width_in + 0.4 + num_rows * font / 45 + heading.height_in
    figure = Figure(figsize=(width_in, height_in), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    _draw_axes(axes, plot, font, width_in)
    _draw_points(axes, plot, scale=font / 8)
    _draw_values_beyond(axes, plot, font, width_in)
    draw_legend(figure, columns, font)
    heading.draw(axes)
    return figure


def _draw_axes(axes: Axes, plot: FrontierPlotData, font: float, width_in: float) -> None:
    draw_size_axis(axes, plot.size_limits, most_ticks=7, unit=plot.size_unit)
    draw_quality_axis(axes, plot.axis)
    axes.set_xlabel(plot.size_unit.label, fontsize=font, color=INK)
    label = upright(plot.quality_label, UPRIGHT * width_in, font=font)
    axes.set_ylabel(label, fontsize=font, color=INK, parse_math=False)
    draw_frame(axes, font)


def _draw_points(axes: Axes, plot: FrontierPlotData, *, scale: float) -> None:
    rows, front = plot.rows, plot.front
    for row in rows[rows["method"] == REFERENCE_METHOD].to_dict("records"):
        axes.axhline(row["y"], color=row["colour"], linewidth=0.9 * scale, dashes=(4, 3), alpha=0.7, zorder=1)
    line: dict[str, Any] = {"color": INK, "linewidth": 1.1 * scale, "zorder": 2}
    falls = bool(plot.falls.any())
    axes.plot(front["x"], front["y"], drawstyle="steps-post", linestyle=DOTS if falls else "-", gid="front", **line)
    if falls:
        axes.plot(*plot.risen, gid="risen", **line)
    for (colour, symbol, on_front, outside), alike in rows.groupby(["colour", "marker", "on_front", "outside"]):
        # points on the front are drawn over dominated ones
        style: dict[str, Any] = {"color": colour, "alpha": 1.0 if on_front else PALE, "zorder": 4 if on_front else 3}
        if outside:
            style |= {"linestyle": "none"}
            marks = (
                ("outside", ARROW_AT, arrow(scale, up=not plot.maximise)),
                ("owner", MARKER_AT, marker(str(symbol), scale)),
            )
            for gid, depth, kind in marks:
                axes.plot(alike["x"], [plot.axis.in_strip(depth)] * len(alike), gid=gid, **style, **kind)
            continue
        axes.errorbar(
            alike["x"],
            alike["y"],
            xerr=[alike["x"] - alike["x_low"], alike["x_high"] - alike["x"]],
            yerr=[alike["y"] - alike["y_low"], alike["y_high"] - alike["y"]],
            linestyle="none",
            elinewidth=0.8 * scale,
            **style,
            **marker(str(symbol), scale),
        )
    draw_curves(axes, plot.published, scale)
    for row in plot.published[plot.published["images"] == ""].to_dict("records"):
        style = hollow(row["marker"], row["colour"], scale)
        axes.plot([row["x"]], [row["y"]], linestyle="none", zorder=5, gid="published", **style)


def _draw_values_beyond(axes: Axes, plot: FrontierPlotData, font: float, width_in: float) -> None:
    """Draw what the arrows in the strip stand for."""
    outside = plot.rows[plot.rows["outside"]]
    num_characters = int(72 * 0.85 * width_in / (0.6 * (font - 1.5)))
    grey: dict[str, Any] = {"fontsize": font - 1.5, "color": GREY, "parse_math": False, "ha": "center", "va": "center"}
    given = outside["x"].tolist(), outside["file_quality"].tolist(), str(plot.rows["quality_name"].iloc[0])
    for size, text in edge_texts(*given, plot.size_limits, num_characters=num_characters):
        axes.text(size, plot.axis.in_strip(TEXT_AT), text, gid="value", **grey)
