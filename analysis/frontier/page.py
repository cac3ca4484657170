"""The frontier as one HTML file that needs no network: hover for the numbers, click for the MLflow run."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from analysis.drawing.beyond import ARROW, ARROW_AT, MARKER_AT, TEXT_AT, edge_texts
from analysis.drawing.interactive import hover, layout, page, part, run_url
from analysis.drawing.printed import hollow, hover_of_printed, wrapped
from analysis.drawing.style import GREY, INK, PALE, PRINTED
from analysis.frontier.plot_data import FrontierPlotData, frontier_plot_data
from analysis.keys import REFERENCE_METHOD

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


_CHARACTERS = 90
"""How many characters of the values beyond the axis have room beside each other in a small window."""


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
    figure.update_layout(margin={"t": figure.layout.margin.t - 10})
    return part(figure, element_id="frontier-plot", height_px=height_px)


def _figure(
    configurations: pd.DataFrame, points: pd.DataFrame, title: str, ui_url: str | None, published: pd.DataFrame | None
) -> Figure:
    import plotly.graph_objects as go

    plot = frontier_plot_data(configurations, points, published)
    figure = go.Figure()
    for row in plot.rows[plot.rows["method"] == REFERENCE_METHOD].to_dict("records"):
        dashed = {"color": row["colour"], "width": 1.2, "dash": "dash"}
        figure.add_hline(float(plot.axis.place(row["y"])), line=dashed, opacity=0.6)
    for trace in _front(plot):
        figure.add_scatter(**trace, mode="lines", hoverinfo="skip")
    titled: set[str] = set()
    for (architecture, variant), rows in plot.rows.groupby(["architecture", "variant"]):
        legend = _legend(plot, str(architecture), str(variant), with_title=str(architecture) not in titled)
        titled.add(str(architecture))
        figure.add_scatter(x=[None], y=[None], **legend)
        for (on_front, outside), alike in rows.groupby(["on_front", "outside"]):
            style = _points(plot, alike, legend["marker"], on_front=bool(on_front), outside=bool(outside))
            run_urls = [run_url(row, ui_url) for row in alike.to_dict("records")]
            group = {"legendgroup": legend["legendgroup"], "showlegend": False}
            figure.add_scatter(**style, **group, customdata=run_urls)
            if outside:
                arrows = {"text": [ARROW[plot.maximise]] * len(alike), "y": _in_strip(plot, ARROW_AT, len(alike))}
                font = {"size": 17, "color": plot.colours[str(architecture)]}
                looks = {"mode": "text", "textfont": font, "opacity": style["opacity"], "hoverinfo": "skip"}
                figure.add_scatter(x=alike["x"], **arrows, **looks, **group)
    for paper in plot.papers:
        legend = _paper_legend(plot, paper, with_title=paper == next(iter(plot.papers)))
        figure.add_scatter(x=[None], y=[None], **legend)
        figure.add_scatter(**_paper_points(plot, paper), legendgroup=legend["legendgroup"], showlegend=False)
    if plot.rows["outside"].any():
        figure.add_scatter(**_values_beyond(plot))
    figure.update_layout(**layout(title, plot.note, plot.size_limits, plot.axis, plot.quality_label, plot.size_unit))
    return figure


def _front(plot: FrontierPlotData) -> list[dict[str, Any]]:
    """The line of the frontier; where a smaller file is better on test it is dotted."""
    if plot.front.empty:
        return []
    line = {"color": INK, "width": 1.6, "shape": "hv"}
    whole = {"x": plot.front["x"], "y": plot.axis.place(plot.front["y"]), "name": "frontier"}
    if not plot.falls.any():
        return [whole | {"line": line}]
    x, y = plot.risen
    return [
        {"x": x, "y": plot.axis.place(y), "line": line | {"shape": "linear"}, "name": "frontier"},
        whole | {"line": line | {"dash": "dot"}, "name": f"frontier, worse{plot.on_test}<br>than a smaller file"},
    ]


def _in_strip(plot: FrontierPlotData, depth: float, num: int) -> list[float]:
    return [float(plot.axis.place(plot.axis.in_strip(depth)))] * num


def _values_beyond(plot: FrontierPlotData) -> dict[str, Any]:
    """What the arrows in the strip stand for, as texts."""
    rows = plot.rows[plot.rows["outside"]]
    given = rows["x"].tolist(), rows["file_quality"].tolist(), str(rows["quality_name"].iloc[0])
    texts = edge_texts(*given, plot.size_limits, num_characters=_CHARACTERS)
    style: dict[str, Any] = {"mode": "text", "hoverinfo": "skip", "showlegend": False}
    style |= {"textfont": {"size": 12, "color": GREY}, "y": _in_strip(plot, TEXT_AT, len(texts))}
    return style | {"x": [size for size, _ in texts], "text": [escape(text, quote=False) for _, text in texts]}


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
        return style | {"y": _in_strip(plot, MARKER_AT, len(rows)), "marker": marker}
    heights, lows, highs = (plot.axis.place(rows[name]) for name in ("y", "y_low", "y_high"))
    return style | {
        "y": heights,
        "marker": marker,
        "error_x": _bars(rows["x_high"] - rows["x"], rows["x"] - rows["x_low"]),
        "error_y": _bars(highs - heights, heights - lows),
    }


def _paper_legend(plot: FrontierPlotData, paper: str, *, with_title: bool) -> dict[str, Any]:
    return {
        "name": wrapped(paper, 32),
        "legendgroup": f"printed {escape(paper, quote=False)}",
        "legendgrouptitle": {"text": PRINTED if with_title else ""},
        "mode": "markers",
        "marker": hollow(plot.papers[paper], GREY),
    }


def _paper_points(plot: FrontierPlotData, paper: str) -> dict[str, Any]:
    rows = plot.published[plot.published["label"] == paper].sort_values("x", kind="stable")
    is_curve = bool((rows["images"] != "").any())
    return {
        "x": rows["x"],
        "y": plot.axis.place(rows["y"]),
        "mode": "lines+markers" if is_curve else "markers",
        "line": {"color": GREY, "width": 1},
        "hoverinfo": "text",
        "hovertext": [hover_of_printed(row) for row in rows.to_dict("records")],
        "marker": hollow(plot.papers[paper], rows["colour"], size=8 if is_curve else 11),
    }


def _bars(plus: ArrayLike, minus: ArrayLike) -> dict[str, Any]:
    return {"type": "data", "symmetric": False, "array": plus, "arrayminus": minus, "thickness": 1.2, "width": 0}
