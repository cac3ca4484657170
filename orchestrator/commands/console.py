"""The console that commands print to."""

from __future__ import annotations

import sys

from rich.console import Console

from orchestrator.views.printable import PrintableHook

_PIPE_WIDTH = 120


def open_console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal, or wide enough for tables where output goes to a file or a pipe.

    Names of files, tensors and users cannot send it control characters.
    """
    console = Console(file=sys.stderr if stderr else sys.stdout)  # as they are now: while Ray runs they are silenced
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_WIDTH)
    console.push_render_hook(PrintableHook())
    return console
