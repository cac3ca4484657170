"""What happens where the output cannot be written: a closed pipe, as of ``head``, ends the program quietly."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator

from trainers.echo import printable
from trainers.full_disk import why_full

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
    """Write all output of the program in the block; where nobody reads it, exit without a word, with SIGPIPE's code.

    An output that cannot be written for another reason, such as a full disk, is one line and exit code 2.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):  # rich or click saw it first
            raise
        _write_no_more()
        raise SystemExit(_EXIT_CODE) from None
    except OSError as error:
        is_unread = isinstance(error, BrokenPipeError) and nobody_reads()
        _write_no_more()
        if not is_unread:
            print(f"ratefront: {what_is_wrong(error)}", file=sys.stderr)
        raise SystemExit(_EXIT_CODE if is_unread else 2) from None


def what_is_wrong(error: Exception) -> str:
    """The one line that a command shows of an error, without control characters; one of a disk names its file."""
    why = why_full(error)
    said = f"the disk is full ({why}): free some space" if why else str(error)
    return printable(" ".join(said.split()))


def _write_no_more() -> None:
    """Let nothing come of what is left to write, which the interpreter does when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
