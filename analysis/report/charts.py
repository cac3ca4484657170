"""Static charts as SVG inside the page: sharp on screen and paper, and seen without a script."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from analysis.drawing.axes import draw_frame
from analysis.drawing.picture import picture
from analysis.drawing.style import INK
from analysis.report.markup import Html, element, escaped
from analysis.units import better_words, quality_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 9.8
"""The width of a chart that is as wide as the page."""
FONT = 8.5
_MOST_SHAPES, _DPI = 1000, 150
_LOW_CHARACTERS = 20
"""How many characters fit along the axis of a low panel."""

# All text is matplotlib's own: users' texts are drawn as paths, and comments are taken out.
_DROPPED = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<\?xml.*?\?>|<!DOCTYPE.*?>", re.DOTALL)
_NAMED = re.compile(r'(\bid="|url\(#|href="#)')
_SPACES = re.compile(r">\s+<")


def new_figure(height_in: float, width_in: float = WIDTH_IN) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained")


def chart(figure: Figure, name: str, description: str) -> Html:
    """``figure`` as a part of the page; the same figure gives the same text.

    Args:
        figure: what to show.
        name: unique on the page. It goes before every id, because matplotlib gives each SVG the same ids.
        description: for readers who do not see the chart.
    """
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        written = picture(figure, "svg", dpi=_DPI).decode()
    drawn = _SPACES.sub("><", _DROPPED.sub("", written)).strip()
    drawn = _NAMED.sub(rf"\g<1>{name}-", drawn)
    opening = f'<svg role="img" aria-label="{escaped(description)}" '
    return element("div", Html(drawn.replace("<svg ", opening, 1)), class_="chart")


def dots_of(num: int) -> dict[str, Any]:
    """The style of configurations as dots; very many are drawn as pixels, which take fewer bytes than shapes."""
    return {"s": 24, "linewidths": 0.5, "rasterized": num > _MOST_SHAPES}


def style(axes: Axes, *, title: str = "", x_label: str = "", y_label: str = "") -> None:
    """Make a panel look like the others. Texts are drawn as they are, never as mathematics."""
    given: dict[str, Any] = {"fontsize": FONT, "color": INK, "parse_math": False}
    draw_frame(axes, FONT)
    axes.set_xlabel(x_label, **given)
    axes.set_ylabel(y_label, **given)
    if title:
        axes.set_title(title, loc="left", weight="bold", **given)


def legend(owner: Axes | Figure, *handles_and_labels: Any, **where: Any) -> None:
    """Draw a small legend without a frame for everything that has a label."""
    drawn = owner.legend(*handles_and_labels, fontsize=FONT - 0.5, frameon=False, labelcolor=INK, **where)
    drawn.get_title().set(fontsize=FONT - 0.5, color=INK)
    for text in drawn.get_texts():
        text.set_parse_math(False)


def validation_label(quality_name: str, *, maximise: bool, fitted: bool) -> str:
    """The label of an axis of validation quality, or of a signal's, in short lines because panels are low."""
    words = textwrap.wrap(
        quality_words(quality_name, with_unit=True) + better_words(maximise=maximise), _LOW_CHARACTERS
    )
    return "\n".join([*([] if fitted else ["validation"]), *words])
