"""Sizes and qualities as people read them. kB = 1000 bytes."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_FACTORS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmg]?b|)")


def format_size(size_bytes: float, *, trim: bool = False) -> str:
    """A size in three digits: ``812 B``, ``1.50 kB``; with ``trim`` no trailing zeros, ``1.5 kB``; ``-`` for NaN."""
    if not math.isfinite(size_bytes):
        return "-"
    rounded = float(f"{size_bytes:.3g}")  # first, so that 999.6 B becomes 1 kB and not 1000 B
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if rounded >= factor:
            return f"{rounded / factor:g} {unit}" if trim else f"{rounded / factor:#.3g}".rstrip(".") + f" {unit}"
    return f"{rounded:g} B"


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


def format_ratio(ratio: float) -> str:
    """A ratio as ``9.5x`` or ``123x``."""
    return f"{ratio:.0f}x" if ratio >= 99.95 else f"{ratio:.1f}x"


def quality_scale(quality_name: str) -> tuple[float, str]:
    """The factor from a quality to what is shown, and the unit of that: accuracies are fractions, shown in percent."""
    return (100.0, " %") if quality_name.endswith("accuracy") else (1.0, "")


def format_quality(quality: float, quality_name: str, *, spread: float = math.nan, with_unit: bool = True) -> str:
    """A quality as ``97.23 %``, with a spread over seeds as ``97.23 ± 0.41 %``; ``-`` for NaN."""
    factor, unit = quality_scale(quality_name)
    if not math.isfinite(quality):
        return "-"
    deviation = f" ± {spread * factor:.2f}" if math.isfinite(spread) else ""
    return f"{quality * factor:.2f}{deviation}{unit if with_unit else ''}"
