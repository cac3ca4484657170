"""What settings do, method by method: which of them matter, and each against size and quality."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.configurations.importance import MIN_CONFIGURATIONS, importances, top_share
from analysis.drawing.legend import whole_name
from analysis.drawing.style import COLOURS
from analysis.keys import KEY
from analysis.points.labels import is_number, setting_name, varied_settings
from analysis.report.charts import chart, legend, new_figure, style
from analysis.report.markup import Html, element, note, paragraph, section
from analysis.report.material import Material
from analysis.report.slices import ARCHITECTURE, slices

_COLOURS = COLOURS[3:]
"""The colours of targets; the first colours are those of networks."""
_MOST_SLICES, _LEAST_DRAWN = 6, 4
TARGETS = ("size", "quality", "frontier")


def varying(configurations: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """The settings that vary between configurations; as numbers where all values are.

    Args:
        configurations: those of one method, from ``summarise``.
        points: what ``summarise`` was given.

    Returns:
        (num_configurations, num_settings), with the index of ``configurations``. The network counts as a setting.
    """
    params = points.drop_duplicates(KEY).set_index(KEY)["params"]
    given = [json.loads(params.loc[key]) for key in configurations[KEY].itertuples(index=False, name=None)]
    columns = {setting_name(name): [one.get(name, "-") for one in given] for name in varied_settings(given)}
    table = pd.DataFrame({ARCHITECTURE: list(configurations["architecture"]), **columns}, index=configurations.index)
    kept = table[[name for name in table if table[name].nunique() > 1]]
    numeric = {name: "float64" for name in kept if all(map(_is_finite, kept[name]))}
    return kept.astype(numeric)


def _is_finite(text: str) -> bool:
    return is_number(text) and math.isfinite(float(text))


def shares(settings: pd.DataFrame, configurations: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The importance of each setting towards each of ``TARGETS``; empty where there are too few configurations.

    Args:
        settings: from ``varying``.
        configurations: with the same index.
    """
    if len(settings) < MIN_CONFIGURATIONS or settings.shape[1] < 2:
        return {}
    decades = np.log10(configurations["size_bytes_mean"].to_numpy(np.float64))
    quality = configurations["quality_val_mean"].to_numpy(np.float64)
    loss = -quality if configurations["maximise"].all() else quality
    costs = (decades, loss, np.column_stack([decades, loss]))
    return {target: importances(settings, cost) for target, cost in zip(TARGETS, costs, strict=True)}


def settings(material: Material) -> Html:
    """A chart for each method, and the importance of settings where there is enough to tell it.

    Configurations with a failed seed are left out.
    """
    parts: list[Html] = []
    whole = material.configurations[
        (material.configurations["num_failed"] == 0) & np.isfinite(material.configurations["quality_val_mean"])
    ]
    silent = []
    for number, (method, rows) in enumerate(whole.groupby("method")):
        table = varying(rows, material.points)
        if len(rows) < _LEAST_DRAWN or table.shape[1] == 0:
            silent.append(f"{method} ({len(rows)} configuration{'s' if len(rows) > 1 else ''})")
            continue
        parts += [element("h3", str(method)), *_about_method(material, f"settings{number}", rows, table)]
    if silent:
        parts.append(note(f"Too little was varied to show it: {', '.join(silent)}."))
    if len(parts) > bool(silent):
        parts.insert(0, _explained(fitted=material.is_fitted))
    return section("settings", "What the settings do", *parts)


def _explained(*, fitted: bool) -> Html:
    return paragraph(
        "Each point below is a configuration, at the means over its seeds; those on the frontier are dark."
        + ("" if fitted else " The quality is that of validation, by which configurations are chosen.")
    )


def _about_method(material: Material, name: str, rows: pd.DataFrame, table: pd.DataFrame) -> list[Html]:
    found = shares(table, rows)
    order = list(found["frontier"]) if found else list(map(str, table))
    parts = [slices(material, name, rows, table[order[:_MOST_SLICES]])]
    if len(order) > _MOST_SLICES:
        why = ", which matter less" if found else ""
        parts.append(note(f"Not drawn: {', '.join(order[_MOST_SLICES:])}{why}."))
    if found:
        share = f"{top_share(len(rows)):.0%}"
        parts += [
            _bars(f"{name}-bars", found, order),
            note(
                f"Importance (PED-ANOVA): how differently a setting is spread among the best {share} of the "
                f"{len(rows)} configurations than among all; of each colour the bars add up to 100 %. The best are the "
                f"smallest files for size, the best networks for quality, and those nearest the frontier for both at "
                f"once. It sees one setting at a time and speaks of what was tried."
            ),
        ]
    elif table.shape[1] == 1:
        parts.append(note(f"Only {table.columns[0]} was varied, so there is nothing to weigh it against."))
    else:
        parts.append(
            note(
                f"Which setting matters most is not said: that takes {MIN_CONFIGURATIONS} configurations of which no "
                f"seed failed, and there are {len(rows)}."
            )
        )
    return parts


def _bars(name: str, found: Mapping[str, Mapping[str, float]], order: Sequence[str]) -> Html:
    figure = new_figure(0.7 + 0.32 * len(order), 7.0)
    axes = figure.subplots()
    for index, (target, values) in enumerate(found.items()):
        places = np.arange(len(order)) + 0.26 * (index - 1)
        label = {"frontier": "both"}.get(target, target)
        axes.barh(places, [100 * values.get(key, 0) for key in order], 0.24, color=_COLOURS[index], label=label)
    axes.set_yticks(range(len(order)), labels=[whole_name(key, 26) for key in order], parse_math=False)
    axes.set(ylim=(len(order) - 0.5, -0.5), xlim=(0, 100))
    style(axes, x_label="importance (%)")
    axes.grid(axis="y", visible=False)
    legend(figure, *axes.get_legend_handles_labels(), loc="outside right upper", title="towards")
    return chart(figure, name, "Importance of each setting towards size, quality and both")
