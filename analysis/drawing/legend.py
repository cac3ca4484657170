"""Markers of figures for papers, and a legend below the axes, so that it covers nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from analysis.drawing.style import GREY, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LegendColumn = list[tuple[str, dict[str, Any]]]
"""One column of a legend: a heading, then entries, each a text and its style. A heading has no style."""

_BETWEEN_PARTS = re.compile(r"(?<=[\s=,(/_])|(?<=\.)(?=[A-Za-z])")
"""Where a name may be broken: after a word, an argument or a module."""
_HOURGLASS = ((-1, 1), (1, 1), (-1, -1), (1, -1), (-1, 1))
_SYMBOLS: dict[str, Any] = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "pentagon": "p",
    "cross": "P",
    "x": "X",
    "hexagon": "h",
    "triangle-left": "<",
    "star": "*",
    "triangle-down": "v",
    "triangle-right": ">",
    "diamond-tall": "d",
    "hourglass": _HOURGLASS,
}


def marker(symbol: str, scale: float) -> dict[str, Any]:
    """The style of a measured point."""
    size = 8.5 if symbol == "star" else 5.0
    return {"marker": _SYMBOLS[symbol], "markersize": size * scale, "markeredgecolor": "white", "markeredgewidth": 0.5}


def hollow(symbol: str, colour: str, scale: float) -> dict[str, Any]:
    """The style of a point that a paper prints."""
    edge = {"color": colour, "markerfacecolor": "none", "markeredgecolor": colour, "markeredgewidth": 1.1 * scale}
    return marker(symbol, scale) | edge


def curve(symbol: str, scale: float) -> dict[str, Any]:
    """The style of a curve that a paper prints: a thin line with hollow markers."""
    line = {"linestyle": "-", "linewidth": 0.6 * scale, "markerfacecolor": "white", "markeredgewidth": 0.8 * scale}
    return hollow(symbol, GREY, scale) | line


def arrow(scale: float, *, up: bool) -> dict[str, Any]:
    """The style of a file beyond the axis: an arrow, which marks no method and no measured place."""
    sign = 1.0 if up else -1.0
    corners = [(-0.12, -0.5), (-0.12, 0.05), (-0.4, 0.05), (0, 0.5), (0.4, 0.05), (0.12, 0.05), (0.12, -0.5)]
    outline = [(x, sign * y) for x, y in [*corners, corners[0]]]
    return {"marker": outline, "markersize": 6.5 * scale, "markeredgewidth": 0}


def whole_name(name: str, longest: int) -> str:
    """``name`` in as many lines as it needs, each of at most ``longest`` characters; words are broken last of all."""
    lines = [""]
    for part in _BETWEEN_PARTS.split(name):
        if lines[-1] and len(lines[-1] + part.rstrip()) > longest:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > longest:
            lines[-1:] = [lines[-1][:longest], lines[-1][longest:]]
    return "\n".join(line.rstrip() for line in lines)


def network_names(names: Iterable[str], longest: int) -> dict[str, str]:
    """The text of each architecture: without the module of a user's own ``module:callable``, unless two were alike."""
    short = {name: _without_module(name) for name in names}
    counts = Counter(short.values())
    return {name: whole_name(text if counts[text] == 1 else name, longest) for name, text in short.items()}


def _without_module(name: str) -> str:
    called, parenthesis, arguments = name.partition("(")
    return called.rpartition(":")[2] + parenthesis + arguments


def draw_legend(figure: Figure, columns: list[LegendColumn], font: float) -> None:
    """Draw the columns side by side below the axes; ``font`` is the figure's font size in points."""
    from matplotlib.lines import Line2D

    longest = max(map(len, columns))
    entries = [entry for column in columns for entry in column + [("", {"color": GREY})] * (longest - len(column))]
    unmarked: dict[str, Any] = {"linestyle": "none", "color": GREY}
    legend = figure.legend(
        handles=[Line2D([], [], label=text, **unmarked | style) for text, style in entries],
        loc="outside lower center",
        ncols=len(columns),
        columnspacing=1.5,
        frameon=False,
        fontsize=font - 0.5,
    )
    for (_, style), drawn in zip(entries, legend.get_texts(), strict=True):
        drawn.set(parse_math=False, color=INK, weight="normal" if style else "bold")
