"""The frame of all figures and their axis of sizes, logarithmic with round ticks, in bytes or bits per sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing.style import INK
from analysis.signals import is_fitted
from analysis.units import format_size

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


_TICK_SERIES = ((1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))


_MAX_TICKS = 7


def size_ticks(low: float, high: float, /, *, most: int = _MAX_TICKS) -> list[float]:
    """At most ``most`` round sizes in bytes within [low, high]: few enough that each can have a label."""
    decades = range(int(np.floor(np.log10(low))), int(np.floor(np.log10(high))) + 1)
    for series in _TICK_SERIES:
        ticks = [step * 10.0**decade for decade in decades for step in series if low <= step * 10.0**decade <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: -(-len(ticks) // most)]


@dataclass(frozen=True, kw_only=True)
class SizeUnit:
    """What an axis of file sizes counts in. Places along it are in bytes all the same."""

    label: str = "File size"
    bits_per: str = ""
    """What bits are counted for, such as ``pixel``; empty where bytes are counted."""
    count: int = 1
    """How many of these there are."""

    @staticmethod
    def of(rows: pd.DataFrame) -> SizeUnit:
        """Bits for each sample where all points or configurations are of signals of one size, else bytes."""
        if not is_fitted(rows) or len(rows[["signal_unit", "signal_count"]].drop_duplicates()) > 1:
            return SizeUnit()
        unit, count = str(rows["signal_unit"].iloc[0]), int(rows["signal_count"].iloc[0])
        return SizeUnit(label=f"Bits per {unit}", bits_per=unit, count=count)

    def ticks(self, limits: tuple[float, float], *, most: int = _MAX_TICKS) -> dict[float, str]:
        """The text of each tick by its place in bytes."""
        if not self.bits_per:
            return {tick: format_size(tick, trim=True) for tick in size_ticks(*limits, most=most)}
        factor = 8 / self.count
        ticks = size_ticks(factor * limits[0], factor * limits[1], most=most)
        return {tick / factor: f"{tick:g}" for tick in ticks}


BYTES = SizeUnit()


def draw_size_axis(axes: Axes, limits: tuple[float, float], *, most_ticks: int, unit: SizeUnit = BYTES) -> None:
    """Draw a logarithmic axis of sizes with round ticks; ``limits`` are in bytes."""
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    ticks = unit.ticks(limits, most=most_ticks)
    axes.set_xticks(list(ticks), labels=list(ticks.values()))
    axes.set_xticks([], minor=True)


def draw_frame(axes: Axes, font: float) -> None:
    """Draw pale grid lines behind everything, and no frame at the top and the right."""
    axes.tick_params(labelsize=font - 0.5, color="#999999", labelcolor=INK, length=3, width=0.6)
    axes.grid(color="#e8e8e8", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color="#999999", linewidth=0.6)
