"""How far to trust the frontier: the spread over seeds, and the flattery of choosing on validation data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.configurations.recommended import optimism
from analysis.drawing.axes import draw_size_axis
from analysis.drawing.heading import upright
from analysis.drawing.quality_axis import draw_quality_axis
from analysis.drawing.style import COLOURS, GREY, PALE
from analysis.frontier.plot_data import FrontierPlotData, frontier_plot_data
from analysis.fronts.attainment import band
from analysis.fronts.pareto import Front
from analysis.fronts.repeats import seed_fronts
from analysis.report.charts import FONT, WIDTH_IN, chart, dots_of, legend, new_figure, style
from analysis.report.markup import Html, note, paragraph, section
from analysis.report.material import Material
from analysis.signals import SENTENCE
from analysis.units import quality_scale, quality_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def trust(material: Material) -> Html:
    """The fronts of single seeds, and validation quality less test quality; of a signal the fronts alone."""
    if material.is_fitted:
        return _of_signal(material)
    plot = frontier_plot_data(material.configurations, material.points)
    seeds = seed_fronts(material.points, measure="quality")
    has_seeds = any(map(len, seeds))
    figure = new_figure(3.0, WIDTH_IN if has_seeds else 5.5)
    panels = figure.subplots(1, 2 if has_seeds else 1, squeeze=False)[0]
    if has_seeds:
        _draw_seeds(panels[0], seeds, material, plot)
    _draw_gaps(panels[-1], material, plot)
    words = (
        "Left: what the best, the median and the worst seed attain, each with its own front, chosen on its own "
        "validation quality, of the configurations that finished with all seeds. Right: every configuration by how "
        "much better it looked on validation than on test; the frontier is dark."
        if has_seeds
        else "Every configuration by how much better it looked on validation than on test; the frontier is dark."
    )
    return section(
        "spread",
        "How far to trust this",
        paragraph(_about_seeds(material.configurations, material.quality_name)),
        paragraph(_about_choosing(material)),
        chart(figure, "spread", "Fronts of the seeds, and the gap between validation and test over file size"),
        note(words),
    )


def _of_signal(material: Material) -> Html:
    seeds = seed_fronts(material.points, measure="quality")
    parts = [
        paragraph(_about_seeds(material.configurations, material.quality_name, "")),
        paragraph(f"{SENTENCE} What is reported also chose."),
    ]
    if any(map(len, seeds)):
        figure = new_figure(3.0, 5.5)
        plot = frontier_plot_data(material.configurations, material.points)
        _draw_seeds(figure.subplots(), seeds, material, plot)
        words = "What the best, the median and the worst seed attain, each with its own front."
        parts += [chart(figure, "spread", "Fronts of the seeds"), note(words)]
    return section("spread", "How far to trust this", *parts)


def _about_seeds(configurations: pd.DataFrame, quality_name: str, split: str = "test ") -> str:
    several = configurations[configurations["num_seeds"] > 1]
    if several.empty:
        return "Each configuration ran with one seed: how far another seed would be from it is not known."
    quality = _signed(float(several["quality_std"].median()), quality_name, sign="")
    size = float((several["size_bytes_std"] / several["size_bytes_mean"]).median())
    return (
        f"From seed to seed the {split}{quality_words(quality_name)} of a configuration varies by {quality}, and "
        f"its size by {size:.1%}: standard deviations, the median over {len(several)} configurations."
    )


def _about_choosing(material: Material) -> str:
    found = optimism(material.configurations)
    if found is None:
        return "Nothing on the frontier was measured on both splits."
    chosen, everything, price = (
        _signed(value, material.quality_name) for value in (found.chosen, found.all, found.of_choosing)
    )
    return (
        f"{_gap_words(material).capitalize()}, where more is flattery: {chosen} on the frontier, {everything} over all "
        f"configurations. The second is how much easier the validation data is; the difference, {price}, is what "
        "having chosen by it adds. Reported everywhere is test."
    )


def _signed(value: float, quality_name: str, *, sign: str = "+") -> str:
    factor, unit = quality_scale(quality_name)
    return f"{value * factor:{sign}.2f} points" if factor == 100 else f"{value:{sign}.3g}{unit}"


def _gap_words(material: Material) -> str:
    """The difference of the two splits that is more where validation flatters more."""
    return "validation less test" if material.maximise else "test less validation"


def _draw_seeds(axes: Axes, seeds: list[Front], material: Material, plot: FrontierPlotData) -> None:
    factor, _ = quality_scale(material.quality_name)
    found = band(seeds)
    sizes = np.append(found.size_bytes, plot.size_limits[1])
    best, median, worst = (factor * np.append(line, line[-1:]) for line in (found.best, found.median, found.worst))
    kind: dict[str, Any] = {"step": "post", "color": COLOURS[0], "alpha": 0.2, "linewidth": 0}
    axes.fill_between(sizes, worst, best, label="best to worst seed", **kind)
    axes.step(sizes, median, where="post", color=COLOURS[0], linewidth=1.4, label="median seed")
    draw_size_axis(axes, plot.size_limits, most_ticks=5, unit=plot.size_unit)
    label = plot.quality_label
    draw_quality_axis(axes, replace(plot.axis, has_strip=False))
    style(
        axes,
        x_label=plot.size_unit.label.lower(),
        y_label=upright(label if material.is_fitted else label[0].lower() + label[1:], 2.2, font=FONT),
    )
    legend(axes, loc="lower right" if material.maximise else "upper right")


def _draw_gaps(axes: Axes, material: Material, plot: FrontierPlotData) -> None:
    factor, _ = quality_scale(material.quality_name)
    rows = material.configurations
    gap = (factor if material.maximise else -factor) * (rows["quality_val_mean"] - rows["quality_mean"])
    axes.axhline(0, color=GREY, linewidth=0.8)
    for is_front in (False, True):
        some = rows["on_front"] == is_front
        dots = {**dots_of(len(rows)), "color": COLOURS[1], "edgecolors": "white", "alpha": 1.0 if is_front else PALE}
        axes.scatter(rows["file_size_bytes"][some], gap[some], **dots)
    found = optimism(rows)
    if found is not None:
        for value, dashes, label in (
            (found.chosen, (1, 0), "mean of the frontier"),
            (found.all, (4, 3), "mean of all"),
        ):
            axes.axhline(factor * value, color=COLOURS[1], linewidth=1, dashes=dashes, label=label)
        legend(axes, loc="best")
    draw_size_axis(axes, plot.size_limits, most_ticks=5)
    unit = "points" if factor == 100 else quality_scale(material.quality_name)[1].strip()
    style(axes, x_label="file size", y_label=f"{_gap_words(material)}{f' ({unit})' if unit else ''}")
