"""The frontier as one HTML file that needs no network: hover for the numbers, click for the MLflow run."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.drawing.interactive import hover, layout, page, part, run_url
from analysis.drawing.style import GREY, INK, PALE, PRINTED
from analysis.frontier.plot_data import FrontierPlotData, frontier_plot_data
from analysis.keys import REFERENCE_METHOD
from analysis.points.published import COUNTED
from analysis.units import format_quality, format_size

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def frontier_html(
    configurations: pd.DataFrame,
    points: pd.DataFrame,
    *,
    title: str,
    ui_url: str | None = None,
    published: pd.DataFrame | None = None,
) -> str:
    """A complete HTML page with the same content as ``frontier_figure``.

    Names come from users' own code and from MLflow, so every text is escaped before plotly sees it.

    Args:
        configurations: from ``summarise``.
        points: what ``summarise`` was given.
        title: the page's and the figure's.
        ui_url: where MLflow's UI is, such as ``http://localhost:5000``; a click then opens the representative's run.
        published: from ``read_published``; rows that belong beside the others are drawn.

    Raises:
        ValueError: ``ui_url`` is not an http address.
    """
    return page(_figure(configurations, points, title, ui_url, published), title)


def frontier_part(
    configurations: pd.DataFrame,
    points: pd.DataFrame,
    *,
    height_px: int,
    ui_url: str | None = None,
    published: pd.DataFrame | None = None,
) -> str:
    """The same figure without a title, as part of another page.

    Args, Raises: as ``frontier_html``.
    """
    figure = _figure(configurations, points, "", ui_url, published)
    figure.update_layout(margin={"t": 50})
    return part(figure, element_id="frontier-plot", height_px=height_px)


def _figure(
    configurations: pd.DataFrame, points: pd.DataFrame, title: str, ui_url: str | None, published: pd.DataFrame | None
) -> Figure:
    import plotly.graph_objects as go

    plot = frontier_plot_data(configurations, points, published)
    figure = go.Figure()
    for row in plot.rows[plot.rows["method"] == REFERENCE_METHOD].to_dict("records"):
        figure.add_hline(row["y"], line={"color": row["colour"], "width": 1.2, "dash": "dash"}, opacity=0.6)
    front, line = plot.front, {"color": INK, "width": 1.6, "shape": "hv"}
    figure.add_scatter(x=front["x"], y=front["y"], mode="lines", line=line, name="frontier", hoverinfo="skip")
    titled: set[str] = set()
    for (architecture, variant), rows in plot.rows.groupby(["architecture", "variant"]):
        legend = _legend(plot, str(architecture), str(variant), with_title=str(architecture) not in titled)
        titled.add(str(architecture))
        figure.add_scatter(x=[None], y=[None], **legend)
        for (on_front, outside), alike in rows.groupby(["on_front", "outside"]):
            style = _points(plot, alike, legend["marker"], on_front=bool(on_front), outside=bool(outside))
            run_urls = [run_url(row, ui_url) for row in alike.to_dict("records")]
            figure.add_scatter(**style, legendgroup=legend["legendgroup"], showlegend=False, customdata=run_urls)
    for paper in plot.papers:
        legend = _paper_legend(plot, paper, with_title=paper == next(iter(plot.papers)))
        figure.add_scatter(x=[None], y=[None], **legend)
        figure.add_scatter(**_paper_points(plot, paper), legendgroup=legend["legendgroup"], showlegend=False)
    figure.update_layout(**layout(title, plot.note, plot.size_limits, plot.quality_limits, plot.quality_label))
    return figure


def _legend(plot: FrontierPlotData, architecture: str, variant: str, *, with_title: bool) -> dict[str, Any]:
    """A legend entry, which hides and shows the points of one architecture and method variant."""
    symbol = plot.markers[variant]
    return {
        "name": escape(variant, quote=False),
        "legendgroup": f"{escape(architecture, quote=False)} {escape(variant, quote=False)}",
        "legendgrouptitle": {"text": escape(architecture, quote=False) if with_title else ""},
        "mode": "markers",
        "marker": {
            "symbol": symbol,
            "color": plot.colours[architecture],
            "size": 14 if symbol == "star" else 10,
            "line": {"color": "white", "width": 1},
        },
    }


def _points(
    plot: FrontierPlotData, rows: pd.DataFrame, marker: dict[str, Any], *, on_front: bool, outside: bool
) -> dict[str, Any]:
    style: dict[str, Any] = {"mode": "markers", "hoverinfo": "text", "opacity": 1.0 if on_front else PALE}
    style |= {"x": rows["x"], "hovertext": [hover(row) for row in rows.to_dict("records")]}
    if outside:
        arrow = "triangle-down" if plot.maximise else "triangle-up"
        return style | {"y": [plot.edge] * len(rows), "marker": marker | {"symbol": arrow}}
    return style | {
        "y": rows["y"],
        "marker": marker,
        "error_x": _bars(rows["x_high"] - rows["x"], rows["x"] - rows["x_low"]),
        "error_y": _bars(rows["y_high"] - rows["y"], rows["y"] - rows["y_low"]),
    }


def _paper_legend(plot: FrontierPlotData, paper: str, *, with_title: bool) -> dict[str, Any]:
    return {
        "name": _text(paper, 32),
        "legendgroup": f"printed {escape(paper, quote=False)}",
        "legendgrouptitle": {"text": PRINTED if with_title else ""},
        "mode": "markers",
        "marker": _hollow(plot.papers[paper], GREY),
    }


def _paper_points(plot: FrontierPlotData, paper: str) -> dict[str, Any]:
    rows = plot.published[plot.published["label"] == paper]
    return {
        "x": rows["x"],
        "y": rows["y"],
        "mode": "markers",
        "hoverinfo": "text",
        "hovertext": [_hover_of_printed(row) for row in rows.to_dict("records")],
        "marker": _hollow(plot.papers[paper], rows["colour"]),
    }


def _hollow(symbol: str, colour: str | pd.Series) -> dict[str, Any]:
    return {"symbol": f"{symbol}-open", "color": colour, "size": 11, "line": {"width": 2}}


def _bars(plus: pd.Series, minus: pd.Series) -> dict[str, Any]:
    return {"type": "data", "symmetric": False, "array": plus, "arrayminus": minus, "thickness": 1.2, "width": 0}


def _hover_of_printed(row: dict[Any, Any]) -> str:
    size, name = row["size_bytes"], row["quality_name"]
    lines = [
        f"{format_size(size)} ({size:,} B): {COUNTED[row['counted']]}",
        f"test {name} {format_quality(row['quality'], name)}",
        f"as printed, not measured here: {row['where']}",
        row["reference"],
    ]
    return "<br>".join([f"<b>{_text(row['label'], 72)}</b>", *(_text(line, 72) for line in lines)])


def _text(text: str, width: int) -> str:
    """``text`` escaped, in lines of at most ``width`` characters."""
    return "<br>".join(escape(line, quote=False) for line in textwrap.wrap(text, width))
