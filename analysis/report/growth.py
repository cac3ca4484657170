"""How fast the search found its frontier: hypervolume over trials, and over seconds of training."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from analysis.drawing.style import COLOURS
from analysis.fronts.anytime import Anytime, anytime
from analysis.fronts.over_files import over_files
from analysis.fronts.pareto import Front
from analysis.fronts.repeats import whole
from analysis.fronts.scale import scale_for
from analysis.report.charts import chart, new_figure, style
from analysis.report.markup import Html, note, section
from analysis.report.material import Material

_AXES: tuple[tuple[Literal["trials", "train_s"], str], ...] = (
    ("trials", "trials of each seed"),
    ("train_s", "seconds of training, of each seed"),
)


def growth(material: Material) -> Html:
    points = over_files(whole(material.points, measure="quality_val"))
    front = Front.of(points["size_bytes"], points["quality_val"], maximise=material.maximise)
    scale = scale_for(material.quality_name, [front])
    figure = new_figure(2.7)
    panels = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.06})
    lines = [anytime(material.points, material.trials, scale, against=against) for against, _ in _AXES]
    limits = _limits(lines[0])
    for axes, line, (_, label) in zip(panels, lines, _AXES, strict=True):
        cost, mean = np.append(0, line.cost), np.append(0, line.mean)
        spread, shown = np.append(0, np.nan_to_num(line.std)), mean >= limits[0]
        kind: dict[str, Any] = {"step": "post", "where": shown, "color": COLOURS[0], "alpha": 0.2, "linewidth": 0}
        axes.fill_between(cost, mean - spread, mean + spread, **kind)
        axes.step(cost, mean, where="post", color=COLOURS[0], linewidth=1.5)
        axes.set_xlim(0, float(cost[-1]) or 1.0)
        style(axes, x_label=label)
    panels[0].set_ylim(*limits)
    style(panels[0], x_label=_AXES[0][1], y_label="hypervolume")
    where = "" if material.is_fitted else ", on validation"
    band = "; the band is one standard deviation over seeds" if lines[0].num_seeds > 1 else ""
    return section(
        "growth",
        "How fast it was found",
        chart(figure, "growth", "Hypervolume over trials and over seconds of training"),
        note(
            f"Hypervolume is the share of a box that the frontier so far covers{where}: "
            f"{scale.describe(material.quality_name)}, sizes by their logarithm. It grows with every better file, "
            "and a line that has become flat says that more of the same search would find little. Trials in the "
            f"order in which they started, with those that failed or were stopped{band}; the axis does not begin at 0."
        ),
    )


def _limits(line: Anytime) -> tuple[float, float]:
    """The limits of the axis, which starts at what the first eighth of the search has covered."""
    low, high = float(line.mean[len(line.mean) // 8]), float(line.mean[-1])
    margin = 0.15 * (high - low) + 0.01 * high or 0.01
    return max(0.0, low - margin), high + float(np.nan_to_num(line.std[-1])) + margin
