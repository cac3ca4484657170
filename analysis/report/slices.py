"""Small panels that show size and quality over each setting of a method."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from analysis.configurations.importance import is_logarithmic
from analysis.drawing.axes import size_ticks
from analysis.drawing.style import COLOURS, PALE, architecture_colours
from analysis.report.charts import WIDTH_IN, chart, dots_of, legend, new_figure, shortened, style, validation_label
from analysis.report.markup import Html
from analysis.report.material import Material
from analysis.units import format_size, quality_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_IN, _PANEL_CHARACTERS = 2.2, 26
_IN_TWO = re.compile(r"(?=\()")
"""Splits a network's name from its arguments, which go below it."""


def slices(material: Material, name: str, rows: pd.DataFrame, table: pd.DataFrame) -> Html:
    """Size and validation quality over each setting, at the means over seeds.

    Args:
        material: the report's.
        name: the chart's name, unique on the page.
        rows: the configurations of one method, from ``summarise``.
        table: their settings, from ``settings.varying``.
    """
    factor, _ = quality_scale(material.quality_name)
    by_network = architecture_colours(material.configurations)
    colours = rows["architecture"].map(by_network)
    num = table.shape[1]
    figure = new_figure(3.6, min(WIDTH_IN, 1.2 + _PANEL_IN * num))
    panels = figure.subplots(2, num, squeeze=False, sharex="col", sharey="row")
    quality = factor * rows["quality_val_mean"]
    for column, key in enumerate(map(str, table)):
        upper, lower = panels[:, column]
        places = _place(lower, table[key])
        for is_front in (False, True):
            some = rows["on_front"] == is_front
            dots = {**dots_of(len(rows)), "c": colours[some], "edgecolors": "white", "alpha": 1 if is_front else PALE}
            upper.scatter(places[some], rows["size_bytes_mean"][some], **dots)
            lower.scatter(places[some], quality[some], **dots)
        style(upper, y_label="" if column else "file size")
        style(lower, x_label=shortened(key, 22), y_label="" if column else validation_label(material.quality_name))
    _draw_sizes(panels[0][0], rows["size_bytes_mean"])
    _draw_legend(figure, rows, by_network)
    return chart(figure, name, "File size and validation quality over each setting")


def _draw_legend(figure: Figure, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draw a legend of networks where there are several."""
    from matplotlib.lines import Line2D

    own = [name for name in colours if name in set(rows["architecture"])][: len(COLOURS)]
    if len(own) > 1:
        dots = [Line2D([], [], color=colours[name], marker="o", linestyle="none") for name in own]
        names = [shortened(name, 30) for name in own]
        legend(figure, dots, names, loc="outside lower left", ncols=min(len(own), 3))


def _place(axes: Axes, values: pd.Series) -> pd.Series:
    """Set few ticks on a setting's axis; returns where its values lie there."""
    if not pd.api.types.is_numeric_dtype(values):
        names = sorted(values.unique())
        axes.set_xticks(range(len(names)), labels=_texts(names), parse_math=False)
        axes.set_xlim(-0.5, len(names) - 0.5)
        return values.map({name: index for index, name in enumerate(names)})
    low, high = float(values.min()), float(values.max())
    if is_logarithmic(values):
        axes.set_xscale("log")
        low, high = low / 1.3, high * 1.3
        ticks = size_ticks(low, high, most=4)
        axes.set_xticks([], minor=True)
    else:
        margin = 0.08 * (high - low)
        low, high = low - margin, high + margin
        different = sorted(values.unique())
        ticks = different if len(different) <= 4 else [tick for tick in _even_ticks(low, high) if low <= tick <= high]
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.set_xlim(low, high)
    return values


def _texts(names: Sequence[str]) -> list[str]:
    """Names cut to fit below a panel; empty where they cannot, since the legend's colours tell networks apart."""
    longest = _PANEL_CHARACTERS // len(names)
    lines = [[part for part in _IN_TWO.split(name, maxsplit=1) if part] for name in names]
    if len(names) > 2 and max(len(line) for pair in lines for line in pair) > longest:
        return [""] * len(names)
    return ["\n".join(shortened(line, longest) for line in pair) for pair in lines]


def _even_ticks(low: float, high: float) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    return list(map(float, MaxNLocator(4).tick_values(low, high)))


def _draw_sizes(axes: Axes, sizes: pd.Series) -> None:
    low, high = float(sizes.min()) / 1.25, float(sizes.max()) * 1.25
    ticks = size_ticks(low, high, most=5)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, labels=[format_size(tick, trim=True) for tick in ticks])
    axes.set_yticks([], minor=True)
