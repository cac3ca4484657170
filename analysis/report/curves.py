"""How the networks on the frontier trained: quality, loss and estimated size over steps, one column each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.drawing.axes import size_ticks
from analysis.drawing.legend import network_names, whole_name
from analysis.drawing.style import GREY, INK, architecture_colours
from analysis.keys import KEY
from analysis.report.charts import FONT, chart, new_figure, style, validation_label
from analysis.report.markup import Html, note, paragraph, section
from analysis.report.material import Material
from analysis.units import format_size, quality_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_COLUMNS = 5
_MOST_CHARACTERS = 22
_HEIGHT_IN, _TITLE_LINES = 5.4, 3
_LINE_IN = 1.3 * FONT / 72
_SETTLED = 0.5
"""After this share of a training the quality axis shows everything; earlier, a curve may lie outside."""


def shown(configurations: pd.DataFrame) -> pd.DataFrame:
    """The configurations whose curves are drawn: the frontier, or an evenly spaced part of a long one with its ends."""
    front = configurations[configurations["on_front"]].sort_values(["file_size_bytes", *KEY])
    front = front.drop_duplicates(["sweep_id", "config_hash"])  # one point of a training that yields several
    num = min(len(front), _MOST_COLUMNS)
    return front.iloc[[round(index * (len(front) - 1) / max(num - 1, 1)) for index in range(num)]]


def curves(material: Material) -> Html:
    """The training curves of the configurations in ``shown``."""
    rows = shown(material.configurations)
    trials = material.points.merge(rows[KEY], on=KEY)
    drawn = material.curves[material.curves["trial_id"].isin(trials["trial_id"])]
    if drawn.empty:
        return section("curves", "How they trained", paragraph("No training on the frontier left a report."))
    name = material.quality_name
    factor, _ = quality_scale(name)
    colours = architecture_colours(material.configurations)
    figure = new_figure(_HEIGHT_IN)
    panels = figure.subplots(3, len(rows), squeeze=False, sharex="col", sharey="row")
    names, num_lines = network_names(rows["architecture"], _MOST_CHARACTERS), _TITLE_LINES
    for column, row in enumerate(rows.to_dict("records")):
        own = trials[(trials["config_hash"] == row["config_hash"]) & (trials["sweep_id"] == row["sweep_id"])]
        for trial_id in own["trial_id"].unique():
            reports = drawn[drawn["trial_id"] == trial_id]
            estimated = reports[reports["rate_comparable"].astype(bool)]
            line: dict[str, Any] = {"color": colours[row["architecture"]], "linewidth": 1, "alpha": 0.75}
            panels[0][column].plot(reports["step"], factor * reports["quality_val"], **line)
            panels[1][column].plot(reports["step"], reports["train_loss"], **line)
            panels[2][column].plot(estimated["step"], estimated["rate_bits"] / 8, **line)
        panels[2][column].axhline(row["file_size_bytes"], color=GREY, linewidth=0.9, dashes=(4, 3))
        method = f"{format_size(row['file_size_bytes'])}, {row['method']}"
        words = (
            whole_name(method, _MOST_CHARACTERS),
            names[row["architecture"]],
            whole_name(row["label"], _MOST_CHARACTERS),
        )
        title = "\n".join(words)
        num_lines = max(num_lines, 1 + title.count("\n"))
        style(panels[0][column], title=title)
        style(panels[1][column])
        style(panels[2][column], x_label="step")
    figure.set_figheight(_HEIGHT_IN + (num_lines - _TITLE_LINES) * _LINE_IN)
    _set_ends(panels, drawn, factor, rows["file_size_bytes"], maximise=material.maximise)
    labels = (
        validation_label(name, maximise=material.maximise, fitted=material.is_fitted),
        "training\nloss",
        "estimated\nsize",
    )
    for axes, label in zip(panels[:, 0], labels, strict=True):
        axes.set_ylabel(label, fontsize=FONT, color=INK, parse_math=False)
    num_front = len(material.front)
    some = f" ({len(rows)} of the {num_front} on the frontier)" if len(rows) < num_front else ""
    return section(
        "curves",
        "How they trained",
        chart(figure, "curves", "Quality, training loss and estimated size over steps"),
        note(
            f"One column for each configuration, from the smallest file to the largest{some}; one line for each seed. "
            "Size is the estimate that training goes by, dashed is the length of the file that came of it: estimates "
            "are shown here and nowhere else. A loss has the price of the bytes in it, so that those of two "
            "configurations are not comparable."
        ),
    )


def _set_ends(
    panels: NDArray[np.object_], drawn: pd.DataFrame, factor: float, size_bytes: pd.Series, *, maximise: bool
) -> None:
    """Set the limits and ticks that the panels of a row share."""
    last = drawn.groupby("trial_id")["step"].transform("max")
    settled = factor * drawn["quality_val"][drawn["step"] >= _SETTLED * last]
    low, high = float(settled.min()), float(settled.max())
    margin = (high - low) or abs(high) or 1.0
    bad, good = 0.5 * margin, 0.08 * margin
    panels[0][0].set_ylim(low - (bad if maximise else good), high + (good if maximise else bad))
    _set_log(panels[1][0], drawn["train_loss"], "{:g}".format)
    estimated = drawn.loc[drawn["rate_comparable"].astype(bool), "rate_bits"] / 8
    _set_log(panels[2][0], pd.concat([estimated, size_bytes]), lambda size: format_size(size, trim=True))


def _set_log(axes: Axes, values: pd.Series, text: Callable[[float], str]) -> None:
    """Make the axis logarithmic with few ticks, where there are positive values."""
    positive = values[(values > 0) & np.isfinite(values)]
    if positive.empty:
        return
    low, high = float(positive.min()) / 1.2, float(positive.max()) * 1.2
    ticks = size_ticks(low, high, most=4)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, labels=[text(tick) for tick in ticks])
    axes.set_yticks([], minor=True)
