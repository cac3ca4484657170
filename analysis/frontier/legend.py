"""The legend of the frontier's figure: which columns it has, and what they say."""

from __future__ import annotations

import textwrap
from typing import Any

from analysis.drawing.legend import LegendColumn, arrow, curve, hollow, marker, network_names, whole_name
from analysis.drawing.style import DOTS, GREY, INK, PALE, PRINTED
from analysis.frontier.plot_data import FrontierPlotData
from analysis.keys import REFERENCE_METHOD

_CHARACTER_EM = 0.6
"""A generous estimate of a character's mean width, in font sizes."""
_MARKER_CHARACTERS = 8
"""The width of a column's marker and gaps, in characters."""
_MOST_ROWS = 8
"""A longer column of methods is split, where there is room."""
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
    shown = _shown(plot, scale)
    whole = 72 * width_in / ((font - 0.5) * _CHARACTER_EM)
    wanted = -(-len(plot.markers) // _MOST_ROWS)
    names: LegendColumn = []
    methods: LegendColumn = []
    num = 0
    for longest in range(longest_name, _LEAST_CHARACTERS - 1, -1):  # shorter lines where more columns fit by it
        tried = _named(plot, scale, longest)
        room = whole - _width([("Architecture", {}), *tried[0]]) - _width(shown)
        fitting = max(0, min(wanted, int(room // _width(tried[1]))))
        if fitting > num or not methods:
            num, (names, methods) = fitting, tried
        if num == wanted:
            break
    num = max(num, 1)
    length = -(-len(methods) // num)
    parts = [methods[start : start + length] for start in range(0, len(methods), length)]
    columns: list[LegendColumn] = [
        [("Architecture", {}), *names],
        *([("Method" * (index == 0), {}), *part] for index, part in enumerate(parts)),
        shown,
    ]
    if not plot.papers:
        return columns
    widths = [_width(column) - _MARKER_CHARACTERS for column in columns]
    free = whole - sum(widths) - len(widths) * _MARKER_CHARACTERS
    wanted = min(_MOST_CHARACTERS, max(len(text) for text in (PRINTED, *plot.papers)))
    if free - _MARKER_CHARACTERS >= wanted:
        return [*columns, _papers(plot, _MOST_CHARACTERS, scale)]
    last = len(columns) - 1
    below = last if widths[last] + free >= wanted else widths.index(max(widths))
    columns[below] += _papers(plot, max(_LEAST_CHARACTERS, int(widths[below] + free)), scale)
    return columns


def _named(plot: FrontierPlotData, scale: float, longest: int) -> tuple[LegendColumn, LegendColumn]:
    """The colour of each architecture and the marker of each method, with names in lines of ``longest`` characters."""
    names: LegendColumn = [
        (text, {"color": plot.colours[name], **marker("circle", scale)})
        for name, text in network_names(plot.colours, longest).items()
    ]
    methods: LegendColumn = [
        (whole_name(name, longest), _line(name, scale) | marker(symbol, scale)) for name, symbol in plot.markers.items()
    ]
    return names, methods


def _shown(plot: FrontierPlotData, scale: float) -> LegendColumn:
    """What else is drawn, and only that."""
    line: dict[str, Any] = {"color": INK, "linestyle": "-", "linewidth": 1.1 * scale}
    found: LegendColumn = [("Shown", {})]
    if len(plot.front):
        found.append(("frontier", line))
    if plot.falls.any():
        found.append((f"frontier, worse{plot.on_test}\nthan a smaller file", line | {"linestyle": DOTS}))
    if (~plot.rows["on_front"]).any():
        found.append(("dominated", {"alpha": PALE, **marker("circle", scale)}))
    if plot.rows["outside"].any():
        found.append(("beyond the axis", arrow(scale, up=not plot.maximise)))
    return found


def _line(method: str, scale: float) -> dict[str, Any]:
    return {"linestyle": (0, (4, 3)), "linewidth": 0.9 * scale} if method == REFERENCE_METHOD else {}


def _papers(plot: FrontierPlotData, num_characters: int, scale: float) -> LegendColumn:
    num_characters = min(num_characters, _MOST_CHARACTERS)
    of_images = set(plot.published.loc[plot.published["images"] != "", "label"])
    return [
        (_wrap(PRINTED, num_characters), {}),
        *(
            (_wrap(text, num_characters), curve(symbol, scale) if text in of_images else hollow(symbol, GREY, scale))
            for text, symbol in plot.papers.items()
        ),
    ]


def _wrap(text: str, num_characters: int) -> str:
    """``text`` in at most three lines."""
    return "\n".join(textwrap.wrap(text, num_characters, max_lines=3, placeholder=" …"))


def _width(column: LegendColumn) -> int:
    """The width of a column in characters, its markers among them."""
    return max(len(line) for text, _ in column for line in text.split("\n")) + _MARKER_CHARACTERS
