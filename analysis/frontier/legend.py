"""The legend of the frontier's figure: which columns it has, and what they say."""

from __future__ import annotations

import textwrap
from typing import Any

from analysis.drawing.legend import LegendColumn, hollow, marker
from analysis.drawing.style import GREY, INK, PALE, PRINTED
from analysis.frontier.plot_data import FrontierPlotData
from analysis.keys import REFERENCE_METHOD

_CHARACTER_EM = 0.6
"""A generous estimate of a character's mean width, in font sizes."""
_MARKER_CHARACTERS = 8
"""The width of a column's marker and gaps, in characters."""
_LEAST_CHARACTERS, _MOST_CHARACTERS = 16, 32


def legend_columns(plot: FrontierPlotData, font: float, width_in: float) -> list[LegendColumn]:
    """A column for colours, one for markers, one for the rest, and one for papers.

    Where the papers' column has no room, its entries go below another column.

    Args:
        plot: what the legend explains.
        font: the figure's font size in points; the legend's is half a point smaller.
        width_in: the figure's width.
    """
    scale, longest_name = font / 8, 22 if font < 8 else 30
    columns: list[LegendColumn] = [
        [
            ("Architecture", {}),
            *(
                (_shorten(name, longest_name), {"color": colour, **marker("circle", scale)})
                for name, colour in plot.colours.items()
            ),
        ],
        [
            ("Method", {}),
            *(
                (_shorten(name, longest_name), _line(name, scale) | marker(symbol, scale))
                for name, symbol in plot.markers.items()
            ),
        ],
        [
            ("Shown", {}),
            ("frontier", {"color": INK, "linestyle": "-", "linewidth": 1.1 * scale}),
            ("dominated", {"alpha": PALE, **marker("circle", scale)}),
        ],
    ]
    if not plot.papers:
        return columns
    widths = [max(len(text) for text, _ in column) for column in columns]
    free = 72 * width_in / ((font - 0.5) * _CHARACTER_EM) - sum(widths) - len(widths) * _MARKER_CHARACTERS
    wanted = min(_MOST_CHARACTERS, max(len(text) for text in (PRINTED, *plot.papers)))
    if free - _MARKER_CHARACTERS >= wanted:
        return [*columns, _papers(plot, _MOST_CHARACTERS, scale)]
    last = len(columns) - 1
    below = last if widths[last] + free >= wanted else widths.index(max(widths))
    columns[below] += _papers(plot, max(_LEAST_CHARACTERS, int(widths[below] + free)), scale)
    return columns


def _line(method: str, scale: float) -> dict[str, Any]:
    return {"linestyle": (0, (4, 3)), "linewidth": 0.9 * scale} if method == REFERENCE_METHOD else {}


def _papers(plot: FrontierPlotData, num_characters: int, scale: float) -> LegendColumn:
    num_characters = min(num_characters, _MOST_CHARACTERS)
    return [
        (_wrap(PRINTED, num_characters), {}),
        *((_wrap(text, num_characters), hollow(symbol, GREY, scale)) for text, symbol in plot.papers.items()),
    ]


def _wrap(text: str, num_characters: int) -> str:
    """``text`` in at most three lines."""
    return "\n".join(textwrap.wrap(text, num_characters, max_lines=3, placeholder=" …"))


def _shorten(name: str, longest: int) -> str:
    """``name`` without the module of a user's own ``module:callable``; its middle is cut where it is still too long."""
    called, parenthesis, arguments = name.partition("(")
    name = called.rpartition(":")[2] + parenthesis + arguments
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[-(longest // 2 - 1) :]}"
