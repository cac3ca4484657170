"""A comparison as a figure for a paper: a line of steps for each side, with the range of its seeds around it."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.comparison.numbers import Comparison, Side
from analysis.drawing.axes import draw_frame, draw_size_axis, quality_limits
from analysis.drawing.legend import Column, draw_legend, marker
from analysis.drawing.style import COLOURS, INK, MARKERS
from analysis.fronts.attainment import Band, band, median
from analysis.fronts.pareto import Front
from analysis.units import quality_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)))
"""Beside colours, so that lines are told apart in grey."""
_MOST_LOSS = 10
"""Of what is drawn in place, in medians of the loss of all fronts from the best of all."""
BAND = 0.18
"""Opacity: two bands over each other stay readable."""
_CHARACTER_EM = 0.6
"""A character's mean width, in font sizes: on the safe side."""
_MARKER = 8
"""What an entry of the legend has beside its text, in characters."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """What is drawn of one side."""

    side: Side
    colour: str
    symbol: str
    dashes: Any
    front: Front
    """What more than half of the seeds attain; without a band the side's own."""
    band: Band | None
    """From the best to the worst of seeds; None where there are not several that ran the same."""
    files: pd.DataFrame
    """The side's configurations on its front, as ``summarise`` gives them: a marker stands at the file of each."""

    @property
    def best(self) -> float:
        """The best quality of the band."""
        return float((self.front.quality if self.band is None else self.band.best)[-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonDrawing:
    """Both figures' contents."""

    lines: tuple[Line, ...]
    size_limits: tuple[float, float]
    quality_limits: tuple[float, float]
    quality_label: str
    note: str


def prepare_comparison(comparison: Comparison) -> ComparisonDrawing:
    """Lines, bands and the axes that show them; a front that collapses goes on below the axis."""
    factor, unit = quality_scale(comparison.quality_name)
    lines = [_line(side, index) for index, side in enumerate(comparison.sides)]
    sizes = np.concatenate(
        [sizes for line in lines for sizes in (line.front.size_bytes, line.files["file_size_bytes"])]
    )
    quality = factor * np.concatenate(
        [quality for line in lines for quality in (line.front.quality, line.files["file_quality"])]
    )
    maximise = comparison.anchor.front.maximise
    losses = np.abs((quality.max() if maximise else quality.min()) - quality)
    near = losses <= _MOST_LOSS * float(np.median(losses))  # one front that falls far would flatten all others
    (low, high), _ = quality_limits(quality[near], np.ones(near.sum(), np.bool_), maximise=maximise)
    best = factor * np.array([line.best for line in lines])  # of one seed it may be beyond every line
    margin = 0.06 * (high - low)
    low, high = (low, max(high, best.max() + margin)) if maximise else (min(low, best.min() - margin), high)
    return ComparisonDrawing(
        lines=tuple(lines),
        size_limits=(float(sizes.min()) / 1.25, float(sizes.max()) * 1.25),
        quality_limits=(low, high),
        quality_label=f"Test {comparison.quality_name.replace('_', ' ')}{f' ({unit.strip()})' if unit else ''}",
        note=_note(lines) + _below(lines, factor, (low, high)),
    )


def comparison_figure(comparison: Comparison, *, title: str, width_in: float = 5.5) -> Figure:
    """Test quality over file size; markers are files on the fronts, each the one that stands for its configuration.

    Args:
        comparison: what to draw.
        title: drawn as it is, never as mathematics, and cut where it would leave the figure.
        width_in: 3.5 fits one column of a two-column paper, 7 both.
    """
    from matplotlib.figure import Figure

    drawing = prepare_comparison(comparison)
    font = 6.5 if width_in < 4.5 else 8.0
    columns = _legend(drawing, font / 8, int(72 * width_in / (_CHARACTER_EM * (font - 0.5))))
    num_rows = max(map(len, columns))
    figure = Figure(figsize=(width_in, 0.56 * width_in + 0.4 + num_rows * font / 45), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    draw_size_axis(axes, drawing.size_limits, most_ticks=7 if width_in >= 4.5 else 5)
    axes.set_ylim(*drawing.quality_limits)
    axes.set_xlabel("File size", fontsize=font, color=INK)
    axes.set_ylabel(drawing.quality_label, fontsize=font, color=INK, parse_math=False)
    draw_frame(axes, font)
    factor = quality_scale(comparison.quality_name)[0]
    for line in drawing.lines:
        _draw(axes, line, drawing, factor, font / 8)
    draw_legend(figure, columns, font)
    title = textwrap.shorten(title, round(11 * width_in * 8 / font), placeholder=" …")
    axes.set_title(title, loc="left", pad=2 * font, fontsize=font + 1, weight="bold", color=INK, parse_math=False)
    grey: dict[str, Any] = {"fontsize": font - 0.5, "color": "#666666", "parse_math": False}
    axes.annotate(drawing.note, (0, 1), (0, 0.6 * font), "axes fraction", "offset points", **grey)
    return figure


def _line(side: Side, index: int) -> Line:
    return Line(
        side=side,
        colour=COLOURS[index % len(COLOURS)],
        symbol=MARKERS[index % len(MARKERS)],
        dashes=_DASHES[(index + index // len(COLOURS)) % len(_DASHES)],
        front=median(side.seeds) if side.seeds else side.front,
        band=band(side.seeds) if side.seeds else None,
        files=side.configurations[side.configurations["on_front"]],
    )


def _draw(axes: Axes, line: Line, drawing: ComparisonDrawing, factor: float, scale: float) -> None:
    right = drawing.size_limits[1]
    if line.band is not None:
        # what not every seed attains yet is worse than every quality
        bad = drawing.quality_limits[0 if line.front.maximise else 1]
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


def _note(lines: list[Line]) -> str:
    banded = [line for line in lines if line.band is not None]
    if not banded:
        return "one seed" if all(line.side.repeats.num_seeds.max() == 1 for line in lines) else "means over seeds"
    counts = " or ".join(map(str, sorted({len(line.side.seeds) for line in banded})))
    without = [line.side.name for line in lines if line.band is None]
    others = f"; too few seeds of {' and '.join(without)}" if without else ""
    return f"line: median of {counts} seeds, band: best to worst{others}"


def _below(lines: list[Line], factor: float, limits: tuple[float, float]) -> str:
    outside = sum(int((~(factor * line.files["file_quality"]).between(*limits)).sum()) for line in lines)
    return f"; {outside} file{'s' * (outside > 1)} beyond the axis" if outside else ""


def _legend(drawing: ComparisonDrawing, scale: float, num_characters: int) -> list[Column]:
    """Names side by side, as far as there is room."""
    entries = [
        (
            textwrap.shorten(line.side.name + " (anchor)" * (index == 0), num_characters - _MARKER, placeholder=" …"),
            {
                "color": line.colour,
                "linestyle": line.dashes,
                "linewidth": 1.3 * scale,
                **marker(line.symbol, 0.8 * scale),
            },
        )
        for index, line in enumerate(drawing.lines)
    ]
    longest = max(len(text) for text, _ in entries)
    num_rows = math.ceil(len(entries) / max(1, num_characters // (longest + _MARKER)))
    return [entries[start : start + num_rows] for start in range(0, len(entries), num_rows)]
