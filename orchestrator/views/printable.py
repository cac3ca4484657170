"""What reaches a terminal: texts of others are shown, and cannot move the cursor, set the title or copy anything."""

from __future__ import annotations

import re

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from trainers.echo import printable

_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
"""Select Graphic Rendition: colours and weights of letters (ECMA-48, 8.3.117)."""
_RESET = "\x1b[0m"


class Printable:
    """A renderable of rich's without the control characters of its texts, which are written as Python escapes them."""

    def __init__(self, shown: ConsoleRenderable) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._shown, options):
            if segment.control:  # rich's own, such as those of a live picture
                yield segment
            else:
                text = "\n".join(map(printable, segment.text.split("\n")))
                yield Segment(text, segment.style)


class PrintableHook(RenderHook):
    """Lets a console show all that it is given as ``Printable``."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [Printable(shown) for shown in renderables]


def lines_of(log_line: str) -> list[str]:
    """A line of somebody's log as lines for a terminal: its colours stay, all other control characters are shown.

    A progress bar that writes its line again and again is a line each time.
    """
    return [_with_colours(part) for part in re.split(r"\r+\n?", log_line.rstrip("\r\n"))]


def _with_colours(text: str) -> str:
    parts = _COLOUR.split(text.expandtabs())
    shown = "".join(part if number % 2 else printable(part) for number, part in enumerate(parts))
    return shown + _RESET if len(parts) > 1 else shown
