"""Small panels that show size and quality over each setting of a method."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.configurations.importance import is_logarithmic
from analysis.drawing.axes import size_ticks
from analysis.drawing.legend import network_names, whole_name
from analysis.drawing.style import COLOURS, OTHER_COLOUR, PALE, architecture_colours
from analysis.report.charts import FONT, WIDTH_IN, chart, dots_of, legend, new_figure, style, validation_label
from analysis.report.markup import Html
from analysis.report.material import Material
from analysis.units import format_size, quality_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARCHITECTURE = "architecture"
"""The column of networks in a table of settings."""
_PANEL_IN, _PANEL_CHARACTERS = 2.2, 26
_LEGEND_CHARACTERS, _MARKER_CHARACTERS = 30, 6
_CHARACTER_IN, _LINE_IN = 0.6 * (FONT - 0.5) / 72, 1.3 * (FONT - 0.5) / 72
"""Generous estimates of a character's mean width, and of a line's height."""
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
    width_in = min(WIDTH_IN, 1.2 + _PANEL_IN * num)
    figure = new_figure(3.6, width_in)
    panels = figure.subplots(2, num, squeeze=False, sharex="col", sharey="row")
    quality = factor * rows["quality_val_mean"]
    label = validation_label(material.quality_name, maximise=material.maximise, fitted=material.is_fitted)
    more_in = 0.0
    for column, key in enumerate(map(str, table)):
        upper, lower = panels[:, column]
        is_told = key == ARCHITECTURE and len(by_network) <= len(COLOURS)
        places, height_in = _place(lower, table[key], is_told=is_told)
        more_in = max(more_in, height_in)
        for is_front in (False, True):
            some = rows["on_front"] == is_front
            dots = {**dots_of(len(rows)), "c": colours[some], "edgecolors": "white", "alpha": 1 if is_front else PALE}
            upper.scatter(places[some], rows["size_bytes_mean"][some], **dots)
            lower.scatter(places[some], quality[some], **dots)
        style(upper, y_label="" if column else "file size")
        style(
            lower,
            x_label=whole_name(key, 22),
            y_label="" if column else label,
        )
    _draw_sizes(panels[0][0], rows["size_bytes_mean"])
    more_in += _draw_legend(figure, rows, by_network, width_in)
    figure.set_figheight(3.6 + more_in)
    return chart(figure, name, "File size and quality over each setting")


def _draw_legend(figure: Figure, rows: pd.DataFrame, colours: Mapping[str, str], width_in: float) -> float:
    """Draw a legend of networks where there are several; returns the height that it needs in addition, in inches."""
    from matplotlib.lines import Line2D

    own = [name for name in colours if name in set(rows["architecture"])]
    if len(own) < 2:
        return 0.0
    texts = network_names(own, _LEGEND_CHARACTERS)
    named = {text: colours[name] for name, text in texts.items() if colours[name] != OTHER_COLOUR}
    num_others = len(own) - len(named)
    if num_others:
        named[f"{num_others} other{'s' if num_others > 1 else ''}"] = OTHER_COLOUR
    dots = [Line2D([], [], color=colour, marker="o", linestyle="none") for colour in named.values()]
    longest = max(len(line) for name in named for line in name.splitlines())
    num = max(1, min(len(named), 3, int(width_in / (_CHARACTER_IN * (longest + _MARKER_CHARACTERS)))))
    legend(figure, dots, list(named), loc="outside lower left", ncols=num)
    num_lines = sum(1 + name.count("\n") for name in named) / num
    return _LINE_IN * max(num_lines - 1, 0.0)


def _place(axes: Axes, values: pd.Series, *, is_told: bool) -> tuple[pd.Series, float]:
    """Set few ticks on a setting's axis.

    Args:
        axes: the lower panel's.
        values: of the setting.
        is_told: whether colours tell them apart, so that names may be left out where there is no room.

    Returns:
        Where the values lie, and the height that their names need in addition, in inches.
    """
    if not pd.api.types.is_numeric_dtype(values):
        names = sorted(values.unique())
        axes.set_xticks(range(len(names)), parse_math=False, **(labels := _labels(names, is_told=is_told)))
        axes.set_xlim(-0.5, len(names) - 0.5)
        upright = labels["rotation"] == "vertical"
        longest = max(len(line) for text in labels["labels"] for line in text.split("\n"))
        return values.map({name: index for index, name in enumerate(names)}), upright * _CHARACTER_IN * longest
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
    return values, 0.0


def _labels(names: Sequence[str], *, is_told: bool) -> dict[str, Any]:
    """Whole names below a panel, side by side or, where they are too long for that, upright.

    Names that are told apart by colours are left out instead.
    """
    beside = [_IN_TWO.sub("\n", name, count=1).lstrip("\n") for name in names]
    if max(len(line) for text in beside for line in text.split("\n")) <= _PANEL_CHARACTERS // len(names):
        return {"labels": beside, "rotation": "horizontal"}
    if is_told:
        return {"labels": [""] * len(names), "rotation": "horizontal"}
    return {"labels": [whole_name(name, _LEGEND_CHARACTERS) for name in names], "rotation": "vertical"}


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
