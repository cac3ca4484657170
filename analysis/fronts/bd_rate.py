"""Bjøntegaard deltas: the mean difference between two fronts in bytes at equal quality, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.fronts.pareto import Front, Vector
from analysis.fronts.repeats import Repeats

MIN_POINTS = 4
MIN_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A mean difference between two curves, over the range that both cover."""

    pchip: float
    """The reported value, by piecewise cubic Hermite interpolation, the common choice."""
    akima: float
    """The same by Akima's interpolation. Where the two differ much, there are too few points for either."""
    overlap: float
    """The range that both curves cover, as a share of the range that either covers, in 0..1."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A percentile interval of the bootstrap over seeds."""

    low: float
    high: float
    level: float
    num_usable: int
    """How many resamples had fronts with enough points and an overlap."""
    num_resamples: int


def bd_rate(anchor: Front, test: Front, /) -> Delta:
    """How many percent more bytes ``test`` needs than ``anchor`` at equal quality; negative where it needs fewer.

    This is the mean difference in log bytes over the shared range of quality, as a percentage. Curves are interpolated
    through the points of the fronts; where points are few, the curves tell little between them (Herglotz et al. 2022,
    "Beyond Bjøntegaard: limits of video compression performance comparisons").

    Source: Bjøntegaard 2001, VCEG-M33, computed by the package ``bjontegaard``.

    Raises:
        ValueError: a front has fewer than four points, or the two share no range of quality.
    """
    _check_comparable(anchor, test, anchor.gain, test.gain, "quality")
    return _delta((anchor.gain, np.log10(anchor.size_bytes)), (test.gain, np.log10(test.size_bytes)), _percent)


def bd_quality(anchor: Front, test: Front, /) -> Delta:
    """How much higher the quality of ``test`` is than that of ``anchor`` at equal bytes, in units of quality.

    Negative is better where the task minimises. This is the mean over the shared range of log bytes; otherwise as
    ``bd_rate``.
    """
    _check_comparable(anchor, test, anchor.size_bytes, test.size_bytes, "bytes")
    sign = 1.0 if anchor.maximise else -1.0
    return _delta(
        (np.log10(anchor.size_bytes), anchor.gain), (np.log10(test.size_bytes), test.gain), lambda value: sign * value
    )


def bootstrap(
    delta: Callable[[Front, Front], Delta],
    anchor: Repeats,
    test: Repeats,
    /,
    *,
    generator: np.random.Generator,
    num_resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """How far the PCHIP value of ``delta`` moves with the seeds.

    Each resample draws the seeds of every configuration anew, with replacement, and computes means and fronts again.
    Few seeds show too little of their own spread: in simulations of two equal sweeps, 95 % intervals left 0 out in 8 %
    of cases with three seeds, and in 12 to 15 % with two. That is why two seeds are refused.

    Args:
        delta: ``bd_rate`` or ``bd_quality``.
        anchor: seeds of the first sweep.
        test: seeds of the second.
        generator: draws the seeds.
        num_resamples: how many times seeds are drawn.
        level: the interval's level, in 0..1.

    Raises:
        ValueError: a configuration on a front has fewer than three seeds, or fewer than half of the resamples can be
            compared.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife".
    """
    fewest = min(anchor.min_seeds_on_front, test.min_seeds_on_front)
    if fewest < MIN_SEEDS:
        raise ValueError(
            f"a configuration on a front has {fewest} seed{'s' * (fewest > 1)}: wanted at least {MIN_SEEDS} of each "
            "for an interval"
        )
    values = []
    for _ in range(num_resamples):
        fronts = anchor.resampled(generator), test.resampled(generator)
        try:
            values.append(delta(*fronts).pchip)
        except ValueError:  # this draw has too short a front
            continue
    if 2 * len(values) < num_resamples:
        raise ValueError(
            f"only {len(values)} of {num_resamples} draws of seeds can be compared: wanted at least half for an "
            "interval; more points on the fronts mend it"
        )
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level, num_usable=len(values), num_resamples=num_resamples)


def _check_comparable(anchor: Front, test: Front, base: Vector, other: Vector, name: str) -> None:
    assert anchor.maximise == test.maximise
    fewest = min(len(anchor), len(test))
    if fewest < MIN_POINTS:
        raise ValueError(
            f"their fronts have {len(test)} and {len(anchor)} points: wanted at least {MIN_POINTS} on each for a "
            "Bjøntegaard delta"  # in the order of "test against anchor"
        )
    if min(base[-1], other[-1]) <= max(base[0], other[0]):
        raise ValueError(f"the two fronts share no range of {name}: a Bjøntegaard delta has nothing to average over")


def _delta(anchor: tuple[Vector, Vector], test: tuple[Vector, Vector], convert: Callable[[float], float]) -> Delta:
    """The delta of two curves, each given as its base and its values, both increasing."""
    from bjontegaard import bd_linear  # loads pyplot

    base, other = anchor[0], test[0]
    shared = min(base[-1], other[-1]) - max(base[0], other[0])
    try:
        with np.errstate(all="ignore"):
            pchip, akima = (
                convert(float(bd_linear(*anchor, *test, method=name, require_matching_points=False, min_overlap=0)))
                for name in ("pchip", "akima")
            )
    except ValueError:  # from scipy: two points at one place, or an infinite slope
        pchip = akima = np.nan
    if not np.isfinite([pchip, akima]).all():
        raise ValueError("steps of a front are too close to interpolate between: no Bjøntegaard delta")
    overlap = shared / (max(base[-1], other[-1]) - min(base[0], other[0]))
    return Delta(pchip=pchip, akima=akima, overlap=float(overlap))


def _percent(decades: float) -> float:
    return float(100 * np.expm1(np.log(10) * decades))
