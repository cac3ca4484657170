"""The console that commands print to."""

from __future__ import annotations

import sys

from rich.console import Console

_PIPE_WIDTH = 120


def open_console() -> Console:
    """A console as wide as the terminal, or wide enough for tables where output goes to a file or a pipe."""
    console = Console(file=sys.stdout)  # stdout as it is now: while Ray runs it is silenced
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_WIDTH)
    return console
