"""What to say of a name that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, valid: Iterable[str]) -> str:
    """``; did you mean 'x'?`` with the closest valid name, or the list of valid names, in the order given."""
    names = list(valid)
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; valid: {', '.join(names) or 'none'}"
