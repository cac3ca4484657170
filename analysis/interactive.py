"""The frontier as one HTML file that needs no network: hover for the numbers, click for the MLflow run."""

from __future__ import annotations

import math
from html import escape
from typing import Any
from urllib.parse import quote

import pandas as pd

from analysis.drawing import REFERENCE_METHOD, Drawing, prepare, size_ticks
from analysis.units import format_quality, format_ratio, format_size

_INK = "#333333"

# The script is constant: what comes from data travels as JSON, in which plotly escapes "<" and ">".
_OPEN_RUN = """
document.getElementById("{plot_id}").on("plotly_click", (event) => {
    const url = event.points[0].customdata;
    if (url) window.open(url, "_blank", "noopener");
});
"""


def frontier_html(configurations: pd.DataFrame, points: pd.DataFrame, *, title: str, ui_url: str | None = None) -> str:
    """A complete HTML page with the same drawing as ``plots.frontier_figure``.

    Names come from users' own code and from MLflow, so every text is escaped before plotly sees it.

    Args:
        configurations: from ``summarise``.
        points: what ``summarise`` was given.
        title: of the page and of the figure.
        ui_url: where MLflow's UI is, such as ``http://localhost:5000``; a click then opens the representative's run.

    Raises:
        ValueError: ``ui_url`` is not an http address.
    """
    import plotly.graph_objects as go

    if ui_url is not None and not ui_url.startswith(("http://", "https://")):
        raise ValueError(f"got ui_url={ui_url!r}: wanted an address that starts with http:// or https://")
    drawing = prepare(configurations, points)
    figure = go.Figure()
    for row in drawing.rows[drawing.rows["method"] == REFERENCE_METHOD].to_dict("records"):
        figure.add_hline(row["y"], line={"color": row["colour"], "width": 1.2, "dash": "dash"}, opacity=0.6)
    front, line = drawing.front, {"color": _INK, "width": 1.6, "shape": "hv"}
    figure.add_scatter(x=front["x"], y=front["y"], mode="lines", line=line, name="frontier", hoverinfo="skip")
    titled: set[str] = set()
    for (architecture, variant), rows in drawing.rows.groupby(["architecture", "variant"]):
        legend = _legend(drawing, str(architecture), str(variant), with_title=str(architecture) not in titled)
        titled.add(str(architecture))
        figure.add_scatter(x=[None], y=[None], **legend)
        for (on_front, outside), alike in rows.groupby(["on_front", "outside"]):
            style = _points(drawing, alike, legend["marker"], on_front=bool(on_front), outside=bool(outside))
            run_urls = [_run_url(row, ui_url) for row in alike.to_dict("records")]
            figure.add_scatter(**style, legendgroup=legend["legendgroup"], showlegend=False, customdata=run_urls)
    figure.update_layout(**_layout(drawing, title))
    page = figure.to_html(
        include_plotlyjs=True,
        full_html=True,
        post_script=_OPEN_RUN,
        default_height="100%",
        config={"displaylogo": False, "responsive": True},
    )
    head = f"<head><title>{escape(title)}</title><style>html, body, body > div {{ height: 100%; margin: 0 }}</style>"
    return "<!doctype html>\n" + str(page).replace("<head>", head, 1)


def _legend(drawing: Drawing, architecture: str, variant: str, *, with_title: bool) -> dict[str, Any]:
    """An entry of the legend, which hides and shows the points of one architecture and variant of a method."""
    symbol = drawing.markers[variant]
    return {
        "name": escape(variant, quote=False),
        "legendgroup": f"{escape(architecture, quote=False)} {escape(variant, quote=False)}",
        "legendgrouptitle": {"text": escape(architecture, quote=False) if with_title else ""},
        "mode": "markers",
        "marker": {
            "symbol": symbol,
            "color": drawing.colours[architecture],
            "size": 14 if symbol == "star" else 10,
            "line": {"color": "white", "width": 1},
        },
    }


def _points(
    drawing: Drawing, rows: pd.DataFrame, marker: dict[str, Any], *, on_front: bool, outside: bool
) -> dict[str, Any]:
    style: dict[str, Any] = {"mode": "markers", "hoverinfo": "text", "opacity": 1.0 if on_front else 0.35}
    style |= {"x": rows["x"], "hovertext": [_hover(row) for row in rows.to_dict("records")]}
    if outside:
        arrow = "triangle-down" if drawing.maximise else "triangle-up"
        return style | {"y": [drawing.edge] * len(rows), "marker": marker | {"symbol": arrow}}
    return style | {
        "y": rows["y"],
        "marker": marker,
        "error_x": _bars(rows["x_high"] - rows["x"], rows["x"] - rows["x_low"]),
        "error_y": _bars(rows["y_high"] - rows["y"], rows["y"] - rows["y_low"]),
    }


def _bars(plus: pd.Series, minus: pd.Series) -> dict[str, Any]:
    return {"type": "data", "symmetric": False, "array": plus, "arrayminus": minus, "thickness": 1.2, "width": 0}


def _hover(row: dict[Any, Any]) -> str:
    name = row["quality_name"]
    test = format_quality(row["file_quality"], name)
    validation = format_quality(row["file_quality_val"], name)
    standing = "on the frontier" if row["on_front"] else "a seed failed" if row["num_failed"] else "dominated"
    seeds = f"{row['num_seeds']} seed{'s' if row['num_seeds'] > 1 else ''}"
    seeds += f" ({row['num_failed']} more failed)" if row["num_failed"] else ""
    size, ratio = row["file_size_bytes"], format_ratio(row["file_compression_ratio"])
    lines = [
        f"{row['architecture']} {row['method']}",
        *([row["config"]] if row["config"] else []),
        f"{format_size(size)} ({size:,} B), {ratio}",
        f"test {test}, validation {validation}",
        f"mean of {seeds}: "
        f"test {format_quality(row['quality_mean'], name, spread=row['quality_std'])}, "
        f"validation {format_quality(row['quality_val_mean'], name, spread=row['quality_val_std'])}",
        f"{standing}; this is seed {row['file_seed']}",
        f"run {row['file_run_id']}",
    ]
    first, *others = (escape(line, quote=False) for line in lines)
    return "<br>".join([f"<b>{first}</b>", *others])


def _run_url(row: dict[Any, Any], ui_url: str | None) -> str:
    if ui_url is None:
        return ""
    experiment, run = quote(row["experiment_id"], safe=""), quote(row["file_run_id"], safe="")
    return f"{ui_url.rstrip('/')}/#/experiments/{experiment}/runs/{run}"


def _layout(drawing: Drawing, title: str) -> dict[str, Any]:
    ticks = size_ticks(*drawing.size_limits)
    axis = {"gridcolor": "#e8e8e8", "linecolor": "#999999", "ticks": "outside", "zeroline": False}
    subtitle = {"text": escape(drawing.note, quote=False), "font": {"size": 13, "color": "#666666"}}
    return {
        "title": {"text": escape(title, quote=False), "subtitle": subtitle, "x": 0.02, "font": {"size": 18}},
        "font": {"family": "system-ui, sans-serif", "size": 14, "color": _INK},
        "plot_bgcolor": "white",
        "xaxis": {
            **axis,
            "type": "log",
            "range": [math.log10(limit) for limit in drawing.size_limits],
            "tickvals": ticks,
            "ticktext": [format_size(tick, trim=True) for tick in ticks],
            "title": "File size",
        },
        "yaxis": {
            **axis,
            "range": drawing.quality_limits,
            "title": escape(drawing.quality_label, quote=False),
        },
        "legend": {"groupclick": "togglegroup", "tracegroupgap": 2},
        "hoverlabel": {"bgcolor": "white", "align": "left"},
        "margin": {"t": 90, "b": 60},
    }
