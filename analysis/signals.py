"""Tasks that are one signal, such as an image: what is said of their qualities, and the bits for each sample.

Each of their splits is the signal itself. So there is no test quality: quality is that of the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.fidelity import BY_QUALITY_NAME

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("signal_unit", "signal_count")
"""The columns of points that say what the signal is: empty and 0 where the task is none."""
FITTED = "fitted: quality is that of the signal itself"
SENTENCE = f"{FITTED.capitalize()}."


def is_fitted(rows: pd.DataFrame) -> bool:
    """Whether these points or configurations are of a task that is one signal."""
    return len(rows) > 0 and bool((rows["signal_count"] > 0).all())


def split_of(quality_name: str, *, fitted: bool) -> str:
    """Where a quality is reported: ``fitted`` for a signal, ``validation`` for distances, else ``test``."""
    if fitted:
        return "fitted"
    return "validation" if quality_name in BY_QUALITY_NAME else "test"


def rate_name(unit: str) -> str:
    """The name of the bits for each sample in tables and in MLflow, such as ``bits_per_pixel``."""
    return f"bits_per_{unit}"


def rate_of(rows: pd.DataFrame) -> str:
    """``rate_name`` of the signal that these points or configurations are of; empty where there is none."""
    return rate_name(str(rows["signal_unit"].iloc[0])) if is_fitted(rows) and rows["signal_unit"].nunique() == 1 else ""


def rate_words(row: Mapping[Any, Any]) -> str:
    """The bits for each sample of a configuration's file, ``0.325 bits/pixel``; empty where the task is no signal."""
    unit = row.get("signal_unit")
    rate = row.get(f"file_{rate_name(unit)}") if unit else None
    return "" if rate is None else f"{format_rate(rate)} bits/{unit}"


def format_rate(rate: float) -> str:
    """Bits for each sample, in three digits."""
    return f"{rate:#.3g}".rstrip(".") if rate == rate else "-"
