"""The axis of quality: every front lies on it, and what lies beyond it has a strip of its own at the bad end."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.drawing.axes import size_ticks
from analysis.drawing.style import INK, STRIP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Vector = NDArray[np.float64]

_MARGIN = 0.06
"""The gap between a point and the end of the axis, in shares of the range in place."""
_STRIP = 0.2
"""The height of the strip for points beyond the axis, in shares of the range in place."""
_CROWDED = 20
"""A linear axis is stretched where half of the front would take less than this part of it: a twentieth."""
_BEND = 4
"""Half of the front lies within this many bends of a stretched axis, where it is nearly linear."""
_FINEST = 1e-3
_MOST_TICKS = 7
_NICE = (1, 2, 5)


@dataclass(frozen=True, kw_only=True)
class QualityAxis:
    """How qualities are spread over an axis, and where it ends. Places grow upwards, whatever the direction."""

    best: float
    """The best quality that is drawn; losses are counted from it."""
    limits: tuple[float, float]
    """The two ends of the range in which points are drawn in place, as qualities, the lower first."""
    bend: float
    """The loss from which on a stretched axis is logarithmic; infinite where the axis is linear."""
    maximise: bool
    bounds: tuple[float, float] = (-math.inf, math.inf)
    """The values that the quality can have; no tick lies beyond them."""
    is_log: bool = False
    """Whether the axis is logarithmic."""
    has_strip: bool = False
    """Whether there is a strip for points beyond the bad end."""

    @property
    def is_stretched(self) -> bool:
        return math.isfinite(self.bend)

    def place(self, quality: ArrayLike, /) -> Vector:
        """Where qualities lie, in units in which the axis is linear; the qualities themselves on a linear axis."""
        values = np.asarray(quality, np.float64)
        if self.is_log:
            decades: Vector = np.log10(values)
            return decades
        return np.arcsinh((values - self.best) / self.bend) if self.is_stretched else values

    def quality(self, place: ArrayLike, /) -> Vector:
        """The qualities at places: the inverse of ``place``."""
        values = np.asarray(place, np.float64)
        if self.is_log:
            powers: Vector = np.power(10.0, values)
            return powers
        return self.best + self.bend * np.sinh(values) if self.is_stretched else values

    def inside(self, quality: ArrayLike, /) -> NDArray[np.bool_]:
        """Which qualities are drawn in place."""
        values, (low, high) = np.asarray(quality, np.float64), self.limits
        found: NDArray[np.bool_] = (low <= values) & (values <= high)
        return found

    @property
    def drawn(self) -> tuple[float, float]:
        """The two ends of the axis with its strip, as qualities, the lower first."""
        return (self.in_strip(1.0), self.limits[1]) if self.maximise else (self.limits[0], self.in_strip(1.0))

    def in_strip(self, depth: float) -> float:
        """The quality at ``depth`` of the strip: 0 where it begins, 1 at the end of the axis."""
        low, high = self.place(self.limits)
        height = _STRIP * (high - low) * self.has_strip * depth
        return float(self.quality(low - height if self.maximise else high + height))

    def widened(self, low: float, high: float, *, with_margin: bool = False) -> QualityAxis:
        """The axis with ends that are at least as far out as ``low`` and ``high``; a margin puts these in place."""
        start, end = self.place(self.limits)
        margin = _MARGIN * (end - start) * with_margin
        low, high = self.quality([self.place(low) - margin, self.place(high) + margin]).tolist()
        return replace(self, limits=(min(low, self.limits[0]), max(high, self.limits[1])))

    @property
    def ticks(self) -> dict[float, str]:
        """Round qualities with their labels, at most seven and none in the strip."""
        if self.is_log:
            return log_ticks(*self.limits)
        found = self._stretched_ticks() if self.is_stretched else even_ticks(*self.limits)
        return {tick: label for tick, label in found.items() if self.bounds[0] <= tick <= self.bounds[1]}

    def _stretched_ticks(self) -> dict[float, str]:
        low, high = self.place(self.limits).tolist()
        ends = np.linspace(low, high, _MOST_TICKS + 1)
        inner = 0.2 * (ends[1] - ends[0])  # two ticks are at least this far from each other
        windows = zip(self.quality(ends[:-1] + inner / 2), self.quality(ends[1:] - inner / 2), strict=True)
        return {tick: f"{tick:.10g}" for tick in (roundest(*window) for window in windows)}


def quality_axis(
    quality: ArrayLike,
    on_front: ArrayLike,
    /,
    *,
    maximise: bool,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    is_log: bool = False,
) -> QualityAxis:
    """The axis that has every point of the front in place.

    Beyond the front's worst point it leaves as much room again for dominated points, and at least half of all points
    are in place. Where half of the front would crowd into a twentieth of a linear axis, because a network on the front
    collapsed, the axis is stretched towards the best: nearly linear there and logarithmic in the loss further down.

    Args:
        quality: (num_points,), finite.
        on_front: (num_points,), bool: the points of all fronts that are drawn.
        maximise: the direction of ``quality``.
        bounds: the values that the quality can have.
        is_log: whether the axis is logarithmic; then ``quality`` is positive, and the axis is never stretched.
    """
    values = np.asarray(quality, np.float64)
    heights = np.log10(values) if is_log else values
    best = float(np.max(heights) if maximise else np.min(heights))
    losses = np.abs(best - heights)  # (num_points,), 0 for the best
    front = losses[np.asarray(on_front, np.bool_)]
    reach = float(front.max(initial=0.0))
    half = max(float(np.median(front)) if front.size else 0.0, _FINEST * reach)
    kept = values[losses <= max(2 * reach, float(np.median(losses)))]
    axis = QualityAxis(
        best=float(np.max(values) if maximise else np.min(values)),
        limits=(float(kept.min()), float(kept.max())),
        bend=half / _BEND if _CROWDED * half < reach and not is_log else math.inf,
        maximise=maximise,
        bounds=bounds,
        is_log=is_log,
    )
    low, high = axis.place(axis.limits)
    margin = _MARGIN * (high - low or 0.1 * abs(best) or 1.0)
    return replace(axis, limits=tuple(axis.quality([low - margin, high + margin]).tolist()))


def log_ticks(low: float, high: float, /) -> dict[float, str]:
    """Round numbers within [low, high] for a logarithmic axis, with labels; even ones where it spans little."""
    found = size_ticks(low, high, most=_MOST_TICKS)
    return {tick: f"{tick:.10g}" for tick in found} if len(found) > 1 else even_ticks(low, high)


def even_ticks(low: float, high: float, /, *, most: int = _MOST_TICKS) -> dict[float, str]:
    """At most ``most`` multiples of 1, 2 or 5 times a power of ten within [low, high], with labels of equal digits."""
    start = math.floor(math.log10((high - low) / most))
    steps = (nice * 10.0**decade for decade in (start, start + 1) for nice in _NICE)
    step = next(step for step in steps if math.floor(high / step) - math.ceil(low / step) < most)
    num_digits = max(0, -math.floor(math.log10(step) + 1e-9))
    found = range(math.ceil(low / step), math.floor(high / step) + 1)
    return {round(index * step, num_digits): f"{index * step:.{num_digits}f}" for index in found}


def roundest(low: float, high: float, /) -> float:
    """The number in [low, high] with the fewest digits: the multiple of the largest power of ten, or half or fifth."""
    if low <= 0 <= high:
        return 0.0
    decade = math.ceil(math.log10(max(abs(low), abs(high))))
    while True:
        for nice in reversed(_NICE):
            step = nice * 10.0**decade
            multiple = math.ceil(low / step) * step
            if multiple <= high:
                return round(multiple, max(0, -decade))
        decade -= 1


def draw_quality_axis(axes: Axes, axis: QualityAxis) -> None:
    """Draw the ticks and ends of the axis, and the strip beyond it in grey."""
    if axis.is_log:
        axes.set_yscale("log")
    elif axis.is_stretched:
        axes.set_yscale("function", functions=(axis.place, axis.quality))
    axes.set_ylim(*axis.drawn)
    axes.set_yticks(list(axis.ticks), labels=list(axis.ticks.values()), color=INK)
    axes.set_yticks([], minor=True)
    if axis.has_strip:
        axes.axhspan(axis.in_strip(0.0), axis.in_strip(1.0), color=STRIP, linewidth=0, zorder=0, gid="strip")
