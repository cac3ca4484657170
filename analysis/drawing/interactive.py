"""An interactive figure as a page: its layout, hover texts, and clicks that open MLflow runs."""

from __future__ import annotations

import math
import textwrap
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from analysis.drawing.axes import SizeUnit
from analysis.drawing.quality_axis import QualityAxis
from analysis.drawing.style import GREY, INK, STRIP
from analysis.fidelity import DISTANCES
from analysis.signals import rate_words, split_of
from analysis.units import format_quality, format_ratio, format_size
from trainers.record import others_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


_TITLE_CHARACTERS, _NOTE_CHARACTERS = 72, 120
"""A line of the title and one of the note at the width of a small window."""


_CONFIG = {"displaylogo": False, "responsive": True}


# The script is constant: what comes from data travels as JSON, in which plotly escapes "<" and ">".
_OPEN_RUN = """
document.getElementById("{plot_id}").on("plotly_click", (event) => {
    const url = event.points[0].customdata;
    if (url) window.open(url, "_blank", "noopener");
});
"""


def page(figure: Figure, title: str) -> str:
    """A complete HTML page with one figure as large as the window; a click on a point opens its ``customdata``."""
    text = figure.to_html(
        include_plotlyjs=True,
        full_html=True,
        post_script=_OPEN_RUN,
        default_height="100%",
        config=_CONFIG,
    )
    head = f"<head><title>{escape(title)}</title><style>html, body, body > div {{ height: 100%; margin: 0 }}</style>"
    return "<!doctype html>\n" + str(text).replace("<head>", head, 1)


def part(figure: Figure, *, element_id: str, height_px: int) -> str:
    """The figure as part of another page: plotly's script, and a ``div`` as wide as there is room."""
    text = figure.to_html(
        include_plotlyjs=True,
        full_html=False,
        div_id=element_id,
        post_script=_OPEN_RUN,
        default_height=f"{height_px}px",
        config=_CONFIG,
    )
    return str(text)


def hover(row: dict[Any, Any]) -> str:
    """The hover text of a configuration: escaped lines."""
    name = row["quality_name"]
    split = split_of(name, fitted=row["signal_count"] > 0)
    splits = {split: "quality", **({"validation": "quality_val"} if split == "test" else {})}
    of_file = [f"{split} {format_quality(row[f'file_{key}'], name)}" for split, key in splits.items()]
    means = [
        f"{split} {format_quality(row[f'{key}_mean'], name, spread=row[f'{key}_std'])}" for split, key in splits.items()
    ]
    standing = "on the frontier" if row["on_front"] else "a seed failed" if row["num_failed"] else "dominated"
    seeds = f"{row['num_seeds']} seed{'s' if row['num_seeds'] > 1 else ''}"
    seeds += f" ({row['num_failed']} more failed)" if row["num_failed"] else ""
    size, ratio = row["file_size_bytes"], format_ratio(row["file_compression_ratio"])
    rate = f", {words}" if (words := rate_words(row)) else ""
    lines = [
        f"{row['architecture']} {row['method']}",
        *([row["config"]] if row["config"] else []),
        f"{format_size(size)} ({size:,} B), {ratio}{rate}",
        ", ".join(of_file),
        *_others(row, split),
        *_fidelity(row),
        f"mean of {seeds}: {', '.join(means)}",
        f"{standing}; this is seed {row['file_seed']}"
        + (f", the mean over {row['num_files']} files" if row["num_files"] else ""),
        *([f"run {row['file_run_id']}"] if row["file_run_id"] else []),
    ]
    first, *others = (escape(line, quote=False) for line in lines)
    return "<br>".join([f"<b>{first}</b>", *others])


def _others(row: dict[Any, Any], split: str) -> list[str]:
    """The other qualities of a file: a line, or none."""
    found = [f"{name} {format_quality(one.quality, name)}" for name, one in others_of(row["file_others"]).items()]
    where = "fitted" if split == "fitted" else "on test"
    return [f"{where}: {', '.join(found)}"] if found else []


def _fidelity(row: dict[Any, Any]) -> list[str]:
    """How near a file's network is to the one that was given: a line, or none."""
    found = []
    if math.isfinite(row["file_kl"]):
        found += [f"KL {format_quality(row['file_kl'], DISTANCES['kl'].quality_name)}"]
        found += [f"agreement {format_quality(row['file_agreement'], DISTANCES['disagreement'].quality_name)}"]
    if math.isfinite(row["file_output_error"]):
        found += [f"output error {format_quality(row['file_output_error'], DISTANCES['output_error'].quality_name)}"]
    return [f"to the given network, on validation: {', '.join(found)}"] if found else []


def run_url(row: dict[Any, Any], ui_url: str | None) -> str:
    """The address of the representative's run in MLflow's UI at ``ui_url``; empty without a UI or a run.

    Raises:
        ValueError: ``ui_url`` is not an http address.
    """
    if ui_url is None:
        return ""
    if not ui_url.startswith(("http://", "https://")):
        raise ValueError(f"got ui_url={ui_url!r}: wanted an address that starts with http:// or https://")
    if not row["file_run_id"]:
        return ""
    experiment, run = quote(row["experiment_id"], safe=""), quote(row["file_run_id"], safe="")
    # without the workflow type MLflow's UI opens on a page for language models
    return f"{ui_url.rstrip('/')}/#/experiments/{experiment}/runs/{run}?workflowType=machine_learning"


def broken(text: str, num_characters: int) -> list[str]:
    """``text`` in lines of at most ``num_characters``, each escaped."""
    return [escape(line, quote=False) for line in textwrap.wrap(text, num_characters, break_on_hyphens=False)]


def _strip(axis: QualityAxis) -> dict[str, Any]:
    """The ground of the strip beyond the axis."""
    ends = axis.place([axis.in_strip(0.0), axis.in_strip(1.0)]).tolist()
    style = {"fillcolor": STRIP, "line": {"width": 0}, "layer": "below"}
    return {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": ends[0], "y1": ends[1], **style}


def layout(
    title: str,
    note: str,
    size_limits: tuple[float, float],
    axis: QualityAxis,
    quality_label: str,
    size_unit: SizeUnit,
) -> dict[str, Any]:
    """Plotly's layout of every figure on screen: titles, axes, legend.

    Plotly knows no stretched axis: whoever draws gives it ``axis.place`` of each quality.
    """
    ticks = size_unit.ticks(size_limits)
    common = {"gridcolor": "#e8e8e8", "linecolor": "#999999", "ticks": "outside", "zeroline": False}
    titles, notes = broken(title, _TITLE_CHARACTERS), broken(note, _NOTE_CHARACTERS)
    subtitle = {"text": "<br>".join(notes), "font": {"size": 13, "color": GREY}}
    where = {"x": 0.02, "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 26}}
    return {
        "title": {"text": "<br>".join(titles), "subtitle": subtitle, "font": {"size": 18}, **where},
        "font": {"family": "system-ui, sans-serif", "size": 14, "color": INK},
        "plot_bgcolor": "white",
        "xaxis": {
            **common,
            "type": "log",
            "range": [math.log10(limit) for limit in size_limits],
            "tickvals": list(ticks),
            "ticktext": list(ticks.values()),
            "title": size_unit.label,
        },
        "yaxis": {
            **common,
            "range": axis.place(axis.drawn).tolist(),
            "tickvals": axis.place(list(axis.ticks)).tolist(),
            "ticktext": list(axis.ticks.values()),
            "title": escape(quality_label, quote=False),
        },
        "legend": {"groupclick": "togglegroup", "tracegroupgap": 2},
        "hoverlabel": {"bgcolor": "white", "align": "left"},
        "shapes": [_strip(axis)] if axis.has_strip else [],
        "margin": {"t": 36 + 24 * len(titles) + 18 * len(notes), "b": 60},
    }
