"""Figures to files: PNG, SVG and HTML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainers.record import write_atomically

if TYPE_CHECKING:
    import pandas as pd


def write_figures(
    configurations: pd.DataFrame, points: pd.DataFrame, folder: Path, *, title: str, published: pd.DataFrame
) -> None:
    """``frontier.png`` and ``.svg``; the same points draw the same files."""
    import io

    from analysis.frontier.figure import frontier_figure

    figure = frontier_figure(configurations, points, title=title, published=published)
    for kind in ("png", "svg"):
        picture = io.BytesIO()
        figure.savefig(picture, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)
        write_atomically(folder / f"frontier.{kind}", picture.getvalue())
