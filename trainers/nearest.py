"""Words the part of an error about an unknown name that lists the nearest valid name, or all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, valid: Iterable[str], *, in_order: bool = False) -> str:
    """Return ``; did you mean 'x'?`` with the closest valid name, or the list of valid names.

    Args:
        name: the name that was given.
        valid: the names that could have been given.
        in_order: list the valid names in the order given, such as that of a file's columns; else by alphabet.
    """
    names = list(valid) if in_order else sorted(valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; valid: {', '.join(names) or 'none'}"
