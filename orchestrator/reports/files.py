"""Figures to files: each as PNG and SVG, and the pages around interactive ones as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trainers.record import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figures(
    folder: Path, figures: Mapping[str, Figure], *, pages: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Write ``<name>.png`` and ``<name>.svg`` of each figure and ``<name>.html`` of each page.

    Everything is drawn before anything is written.

    Args:
        folder: where to; made where it is missing.
        figures: by name.
        pages: HTML by name.

    Returns:
        The names of the files.

    Raises:
        OSError: a file cannot be written.
    """
    from analysis.drawing.picture import picture

    files = {f"{name}.html": page.encode() for name, page in (pages or {}).items()}
    for name, figure in figures.items():
        files |= {f"{name}.png": picture(figure, "png"), f"{name}.svg": picture(figure, "svg")}
    for name, content in files.items():
        write_atomically(folder / name, content)
    return tuple(sorted(files))
