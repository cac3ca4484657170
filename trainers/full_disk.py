"""A full disk: which errors say so, and the file that there was no space for."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No space left on the device, a quota is used up, or a file is larger than it may be."""


def why_full(error: BaseException | None) -> str:
    """What a full disk or quota refused, in one line; empty where ``error`` says something else.

    The errors that it was raised from, or while they were handled, are looked at, too.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            text = error.strerror or os.strerror(error.errno)
            where = f": {error.filename}" if error.filename else ""
            return f"{text[0].lower()}{text[1:]}{where}"
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            return str(error)
        error = error.__cause__ or error.__context__
    return ""


@contextlib.contextmanager
def naming(path: Path, num_bytes: int) -> Iterator[None]:
    """Let an error of a full disk name the file that is written in the block, and its bytes: the system's does not."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OSError(error.errno, f"{os.strerror(error.errno)} for {num_bytes:,} bytes", str(path)) from error
