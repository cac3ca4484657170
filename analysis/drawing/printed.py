"""What papers print on an interactive page: hollow markers, and what a hover says of a row."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from analysis.points.published import COUNTED
from analysis.signals import format_rate, split_of
from analysis.units import format_quality, format_size

_CHARACTERS = 72


def hollow(symbol: str, colour: str | pd.Series, *, size: int = 11) -> dict[str, Any]:
    """Plotly's style of printed points."""
    return {"symbol": f"{symbol}-open", "color": colour, "size": size, "line": {"width": 2}}


def hover_of_printed(row: Mapping[Any, Any]) -> str:
    """The hover text of a row of ``published_points``: escaped lines."""
    size, name, of_images = round(row["size_bytes"]), row["quality_name"], row["images"] != ""
    amount = f"{format_rate(row['bits_per_pixel'])} bits/pixel" if of_images else f"{format_size(size)} ({size:,} B)"
    means = " (means over the images)" if of_images else ""
    lines = [
        f"{amount}: {COUNTED[row['counted']]}",
        f"{split_of(name, fitted=of_images)} {name} {format_quality(row['quality'], name)}{means}",
        f"as printed, not measured here: {row['where']}",
        row["reference"],
    ]
    return "<br>".join(
        [f"<b>{wrapped(row['label'], _CHARACTERS)}</b>", *(wrapped(line, _CHARACTERS) for line in lines)]
    )


def wrapped(text: str, width: int) -> str:
    """``text`` escaped, in lines of at most ``width`` characters."""
    return "<br>".join(escape(line, quote=False) for line in textwrap.wrap(text, width))
