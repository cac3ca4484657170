"""A figure for a paper as the bytes of a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 200


def picture(figure: Figure, kind: Literal["png", "svg"], *, dpi: int = _DPI) -> bytes:
    """The content of a PNG or SVG file, without the date on which it was drawn.

    Args:
        figure: what to draw.
        kind: the format.
        dpi: pixels in an inch; of an SVG those of what is drawn as pixels inside it.
    """
    written = io.BytesIO()
    figure.savefig(written, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else None)
    return written.getvalue()
