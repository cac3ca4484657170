"""What an error says of an unknown name: the nearest valid one, or all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, valid: Iterable[str], *, in_order: bool = False) -> str:
    """``; did you mean 'x'?`` with the closest valid name, or the list of valid names.

    Args:
        name: what was given.
        valid: what could have been given.
        in_order: list the valid names in the order given, such as that of a file's columns; else by alphabet.
    """
    names = list(valid) if in_order else sorted(valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; valid: {', '.join(names) or 'none'}"
