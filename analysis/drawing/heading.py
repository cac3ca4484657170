"""The title of a figure, the note below it and the label of its axis, in as many lines as they need: nothing is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.drawing.style import GREY, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BESIDE = 8
"""The room that the labels of the axis of quality take, in font sizes."""
_LINE = 1.3
"""The height of a line, in font sizes."""
_MOST_NAMED = 3
UPRIGHT = 0.48
"""The height of a figure's axes, in widths of the figure: no label beside them is longer."""


def names_text(names: list[str], *, kind: str) -> str:
    """Up to three names as they are; of more their number, as ``5 sweeps``."""
    return ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names)} {kind}"


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A title and a note, broken into lines. Texts are drawn as they are, never as mathematics."""

    title: list[str]
    note: list[str]
    font: float
    """The figure's font size in points."""

    @staticmethod
    def of(title: str, note: str, *, font: float, width_in: float) -> Heading:
        room = 72 * width_in - _BESIDE * font
        return Heading(
            title=lines(title, room, size=font + 1, is_bold=True),
            note=lines(note, room, size=font - 0.5),
            font=font,
        )

    @property
    def height_in(self) -> float:
        """The height of the lines beyond the first of each, which a figure needs in addition."""
        more = max(len(self.title) - 1, 0) * (self.font + 1) + max(len(self.note) - 1, 0) * self.font
        return _LINE * more / 72

    def draw(self, axes: Axes) -> None:
        below = 0.6 * self.font + len(self.note) * _LINE * self.font
        title: dict[str, Any] = {"fontsize": self.font + 1, "weight": "bold", "color": INK, "parse_math": False}
        axes.set_title("\n".join(self.title), loc="left", pad=below, **title)
        grey: dict[str, Any] = {"fontsize": self.font - 0.5, "color": GREY, "parse_math": False}
        axes.annotate("\n".join(self.note), (0, 1), (0, 0.6 * self.font), "axes fraction", "offset points", **grey)


def lines(text: str, room: float, *, size: float, is_bold: bool = False) -> list[str]:
    """``text`` in lines that are no wider than ``room``: broken at spaces, and within a word that is wider.

    Args:
        text: any text; without a word the result is empty.
        room: in points.
        size: of the font, in points.
        is_bold: whether the font is.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight="bold" if is_bold else "normal")

    def fits(line: str) -> bool:
        return bool(text_to_path.get_text_width_height_descent(line, font, False)[0] <= room)

    found: list[str] = []
    for word in text.split():
        if found and fits(f"{found[-1]} {word}"):
            found[-1] = f"{found[-1]} {word}"
            continue
        while not fits(word) and len(word) > 1:
            length = next(end for end in range(len(word) - 1, 0, -1) if end == 1 or fits(word[:end]))
            found.append(word[:length])
            word = word[length:]
        found.append(word)
    return found


def upright(text: str, height_in: float, *, font: float) -> str:
    """The label of an upright axis in as many lines as it needs along ``height_in``."""
    return "\n".join(lines(text, 72 * height_in, size=font))
