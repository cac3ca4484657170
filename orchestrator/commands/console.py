"""The console that commands print to."""

from __future__ import annotations

import sys

from rich.console import Console

_PIPE_WIDTH = 120


def open_console() -> Console:
    """As wide as the terminal; where output goes to a file or pipe, wide enough that tables are not folded."""
    console = Console(file=sys.stdout)  # as it is now: while Ray runs it is silenced
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_WIDTH)
    return console
