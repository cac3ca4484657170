"""A comparison as one HTML file that needs no network: hover for a file's numbers, click for its MLflow run."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd

from analysis.comparison.compare import Comparison
from analysis.comparison.plot_data import BAND, Line, comparison_plot_data
from analysis.drawing.interactive import hover, layout, page, run_url
from analysis.drawing.printed import hollow, hover_of_printed, wrapped
from analysis.drawing.published_points import curves
from analysis.drawing.quality_axis import QualityAxis
from analysis.drawing.style import GREY, PRINTED
from analysis.units import quality_scale

_DASHES = ("solid", "dash", "dot", "dashdot")


def comparison_html(
    comparison: Comparison, *, title: str, ui_url: str | None = None, published: pd.DataFrame | None = None
) -> str:
    """A complete HTML page with the same content as ``comparison_figure``.

    Args:
        comparison: what to draw.
        title: the page's and the figure's.
        ui_url: where MLflow's UI is, such as ``http://localhost:5000``.
        published: from ``read_published``; curves on the same images are drawn.

    Raises:
        ValueError: ``ui_url`` is not an http address.
    """
    import plotly.graph_objects as go

    plot, factor = comparison_plot_data(comparison, published), quality_scale(comparison.quality_name)[0]
    right = plot.size_limits[1]
    figure = go.Figure()
    for index, line in enumerate(plot.lines):
        name = escape(line.side.name, quote=False)
        shared = {"legendgroup": name, "name": name + " (anchor)" * (index == 0)}
        for trace in _band(line, factor, right, plot.axis):
            figure.add_scatter(**trace, **shared, showlegend=False)
        figure.add_scatter(
            x=np.append(line.front.size_bytes, right),
            y=plot.axis.place(factor * np.append(line.front.quality, line.front.quality[-1])),
            mode="lines",
            line={"color": line.colour, "width": 2, "shape": "hv", "dash": _DASHES[index % len(_DASHES)]},
            hoverinfo="skip",
            **shared,
        )
        figure.add_scatter(**_files(line, factor, plot.axis, ui_url), **shared, showlegend=False)
    for index, rows in enumerate(curves(plot.published)):
        heading = {"text": PRINTED if index == 0 else ""}
        figure.add_scatter(**_printed(rows, plot.axis), legendgroup=f"printed {index}", legendgrouptitle=heading)
    figure.update_layout(**layout(title, plot.note, plot.size_limits, plot.axis, plot.quality_label, plot.size_unit))
    return page(figure, title)


def _band(line: Line, factor: float, right: float, axis: QualityAxis) -> list[dict[str, Any]]:
    """The band's two edges with the area between them filled; nothing where there is no band."""
    if line.band is None:
        return []
    sizes = np.append(line.band.size_bytes, right)
    style = {"x": sizes, "mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip"}
    red, green, blue = (int(line.colour[start : start + 2], 16) for start in (1, 3, 5))
    worst, best = (np.append(edge, edge[-1]) * factor for edge in (line.band.worst, line.band.best))
    bad = axis.limits[0 if line.front.maximise else 1]
    return [
        {**style, "y": axis.place(np.nan_to_num(worst, nan=bad))},
        {**style, "y": axis.place(best), "fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},{BAND})"},
    ]


def _printed(rows: pd.DataFrame, axis: QualityAxis) -> dict[str, Any]:
    return {
        "x": rows["x"],
        "y": axis.place(rows["y"]),
        "name": wrapped(str(rows["label"].iloc[0]), 32),
        "mode": "lines+markers",
        "line": {"color": GREY, "width": 1},
        "marker": hollow(str(rows["marker"].iloc[0]), GREY, size=8),
        "hoverinfo": "text",
        "hovertext": [hover_of_printed(row) for row in rows.to_dict("records")],
    }


def _files(line: Line, factor: float, axis: QualityAxis, ui_url: str | None) -> dict[str, Any]:
    rows = line.files.to_dict("records")
    return {
        "x": line.files["file_size_bytes"],
        "y": axis.place(factor * line.files["file_quality"]),
        "mode": "markers",
        "marker": {"symbol": line.symbol, "color": line.colour, "size": 9, "line": {"color": "white", "width": 1}},
        "hoverinfo": "text",
        "hovertext": [hover(row) for row in rows],
        "customdata": [run_url(row, ui_url) for row in rows],
    }
