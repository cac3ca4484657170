"""Sizes of files as text. kB = 1000 bytes."""

from __future__ import annotations

import re
from decimal import Decimal

_FACTORS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmg]?b|)")


def parse_size(text: str) -> int:
    """The bytes that ``812``, ``812B``, ``10kB`` or ``1.5 MB`` means, rounded down; case does not matter.

    Raises:
        ValueError: ``text`` is no positive size.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    size_bytes = int(Decimal(found[1]) * _FACTORS[found[2]]) if found else 0
    if size_bytes < 1:
        raise ValueError(f"got size {text!r}: wanted bytes such as 812, 10kB or 1.5MB (1 kB = 1000 bytes)")
    return size_bytes
