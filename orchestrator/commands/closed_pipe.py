"""A reader that closes the pipe, such as ``head``, ends a command quietly."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator

import typer

_EXIT_CODE = 128 + signal.SIGPIPE
"""What a shell shows of a program that a closed pipe ended."""


def nobody_reads() -> bool:
    """Whether the standard output is a pipe that its reader has closed."""
    try:
        asked = select.poll()
        asked.register(sys.stdout.fileno(), 0)
        return any(said & (select.POLLERR | select.POLLHUP) for _, said in asked.poll(0))
    except (AttributeError, OSError, ValueError):  # it is closed, or no file
        return False


@contextlib.contextmanager
def ended_by_a_closed_pipe() -> Iterator[None]:
    """Write all output in the block; where nobody reads it, exit without a word, with the code of SIGPIPE."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        was_closed = isinstance(error, SystemExit) and isinstance(
            error.__context__, BrokenPipeError
        )  # rich saw it first
        if not (was_closed or nobody_reads()):
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what is left is written when the interpreter ends
        os.close(nowhere)
        raise typer.Exit(_EXIT_CODE) from None
