"""The frontier as a figure for a paper. No maths, no files: ``figure.savefig`` writes PNG, SVG or PDF."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.drawing import REFERENCE_METHOD, Drawing, prepare, size_ticks
from analysis.units import format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_SYMBOLS = {"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "pentagon": "p", "cross": "P", "x": "X"}
_SYMBOLS |= {"hexagon": "h", "triangle-left": "<", "star": "*"}
_INK = "#333333"
_PALE = 0.35
"""Opacity of what is dominated."""


def frontier_figure(configurations: pd.DataFrame, points: pd.DataFrame, *, title: str, width_in: float = 5.5) -> Figure:
    """Test quality over file size, with the frontier as a step line.

    A configuration stands where its representative file does. Membership of the front was decided on validation, so
    the line, drawn at test quality, may fall where the two splits disagree.

    Args:
        configurations: from ``summarise``.
        points: what ``summarise`` was given: the bars are the range over their seeds.
        title: drawn as it is, never as mathematics, and cut where it would leave the figure.
        width_in: 3.5 fits one column of a two-column paper, 7 both.
    """
    from matplotlib.figure import Figure

    drawing = prepare(configurations, points)
    font = 6.5 if width_in < 4.5 else 8.0
    num_rows = 1 + max(len(drawing.colours), len(drawing.markers))
    figure = Figure(figsize=(width_in, 0.56 * width_in + 0.4 + num_rows * font / 45), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    _draw_axes(axes, drawing, font)
    _draw_points(axes, drawing, scale=font / 8)
    _draw_legend(figure, drawing, font)
    below = 2 * font if drawing.note else font
    title = textwrap.shorten(title, round(11 * width_in * 8 / font), placeholder=" …")
    axes.set_title(title, loc="left", pad=below, fontsize=font + 1, weight="bold", color=_INK, parse_math=False)
    grey: dict[str, Any] = {"fontsize": font - 0.5, "color": "#666666", "parse_math": False}
    axes.annotate(drawing.note, (0, 1), (0, 0.6 * font), "axes fraction", "offset points", **grey)
    return figure


def _draw_axes(axes: Axes, drawing: Drawing, font: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*drawing.size_limits)
    axes.set_ylim(*drawing.quality_limits)
    ticks = size_ticks(*drawing.size_limits)
    axes.set_xticks(ticks, labels=[format_size(tick, trim=True) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("File size", fontsize=font, color=_INK)
    axes.set_ylabel(drawing.quality_label, fontsize=font, color=_INK, parse_math=False)
    axes.tick_params(labelsize=font - 0.5, color="#999999", labelcolor=_INK, length=3, width=0.6)
    axes.grid(color="#e8e8e8", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color="#999999", linewidth=0.6)


def _draw_points(axes: Axes, drawing: Drawing, *, scale: float) -> None:
    rows, front = drawing.rows, drawing.front
    for row in rows[rows["method"] == REFERENCE_METHOD].to_dict("records"):
        axes.axhline(row["y"], color=row["colour"], linewidth=0.9 * scale, dashes=(4, 3), alpha=0.7, zorder=1)
    axes.plot(front["x"], front["y"], drawstyle="steps-post", color=_INK, linewidth=1.1 * scale, zorder=2, gid="front")
    for (colour, marker, on_front, outside), alike in rows.groupby(["colour", "marker", "on_front", "outside"]):
        # what is on the front lies above what is dominated
        style: dict[str, Any] = {"color": colour, "alpha": 1.0 if on_front else _PALE, "zorder": 4 if on_front else 3}
        if outside:
            symbol, size = "v" if drawing.maximise else "^", 5 * scale
            edge = [drawing.edge] * len(alike)
            axes.plot(alike["x"], edge, symbol, markersize=size, gid="outside", **style)
            continue
        axes.errorbar(
            alike["x"],
            alike["y"],
            xerr=[alike["x"] - alike["x_low"], alike["x_high"] - alike["x"]],
            yerr=[alike["y"] - alike["y_low"], alike["y_high"] - alike["y"]],
            linestyle="none",
            elinewidth=0.8 * scale,
            **style,
            **_marker(str(marker), scale),
        )


def _draw_legend(figure: Figure, drawing: Drawing, font: float) -> None:
    """One legend below the axes, so that it covers nothing: a column for colours, one for markers, one for the rest."""
    from matplotlib.lines import Line2D

    scale, longest_name = font / 8, 22 if font < 8 else 30

    def entry(label: str, **style: Any) -> Line2D:
        return Line2D([], [], label=label, **{"linestyle": "none", "color": "#666666"} | style)

    def line(method: str) -> dict[str, Any]:
        return {"linestyle": (0, (4, 3)), "linewidth": 0.9 * scale} if method == REFERENCE_METHOD else {}

    columns = [
        [entry("Architecture")]
        + [
            entry(_shorten(name, longest_name), color=colour, **_marker("circle", scale))
            for name, colour in drawing.colours.items()
        ],
        [entry("Method")]
        + [
            entry(_shorten(name, longest_name), **line(name), **_marker(symbol, scale))
            for name, symbol in drawing.markers.items()
        ],
        [
            entry("Shown"),
            entry("frontier", color=_INK, linestyle="-", linewidth=1.1 * scale),
            entry("dominated", alpha=_PALE, **_marker("circle", scale)),
        ],
    ]
    longest = max(map(len, columns))
    handles = [handle for column in columns for handle in column + [entry("")] * (longest - len(column))]
    legend = figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(columns),
        columnspacing=1.5,
        frameon=False,
        fontsize=font - 0.5,
    )
    for index, text in enumerate(legend.get_texts()):
        text.set(parse_math=False, color=_INK, weight="bold" if index % longest == 0 else "normal")


def _marker(symbol: str, scale: float) -> dict[str, Any]:
    size = 8.5 if symbol == "star" else 5.0
    return {"marker": _SYMBOLS[symbol], "markersize": size * scale, "markeredgecolor": "white", "markeredgewidth": 0.5}


def _shorten(name: str, longest: int) -> str:
    """Without the module of a user's own ``module:callable``, and without its middle where it is still too long."""
    called, parenthesis, arguments = name.partition("(")
    name = called.rpartition(":")[2] + parenthesis + arguments
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[-(longest // 2 - 1) :]}"
