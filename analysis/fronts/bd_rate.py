"""Bjøntegaard deltas: the mean difference between two fronts in bytes at equal quality, and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    return _delta(_rate_curves(anchor, test))


def bd_quality(anchor: Front, test: Front, /) -> Delta:
    """How much higher the quality of ``test`` is than that of ``anchor`` at equal bytes, in units of quality.

    Negative is better where the task minimises. This is the mean over the shared range of log bytes; otherwise as
    ``bd_rate``.
    """
    return _delta(_quality_curves(anchor, test))


def pchip_rate(anchor: Front, test: Front, /) -> float:
    """The reported value of ``bd_rate`` alone, in half its time."""
    return _mean_difference(_rate_curves(anchor, test), "pchip")


def pchip_quality(anchor: Front, test: Front, /) -> float:
    """The reported value of ``bd_quality`` alone, in half its time."""
    return _mean_difference(_quality_curves(anchor, test), "pchip")


Draws = Sequence[tuple[Front, Front]]
"""Fronts of the anchor and of what is tested, of seeds drawn anew."""


def draw(anchor: Repeats, test: Repeats, /, *, generator: np.random.Generator, num_resamples: int = 1000) -> Draws:
    """Draw the seeds of every configuration anew, with replacement, and compute means and fronts again, each time.

    Where files are repeats, files are drawn, one fewer than there are: the same for both sides and all configurations,
    because files differ more than anything that is compared on them.

    Args:
        anchor: seeds of the first sweep.
        test: seeds of the second.
        generator: draws the seeds.
        num_resamples: how many times seeds are drawn.

    Raises:
        ValueError: a configuration on a front has fewer than three seeds. Few seeds show too little of their own
            spread: in simulations of two equal sweeps, 95 % intervals left 0 out in 8 % of cases with three seeds, and
            in 12 to 15 % with two. That is why two are refused.
    """
    fewest = min(anchor.min_seeds_on_front, test.min_seeds_on_front)
    if fewest < MIN_SEEDS:
        raise ValueError(
            f"a configuration on a front has {fewest} {'file' if anchor.files else 'seed'}{'s' * (fewest > 1)}: wanted "
            f"at least {MIN_SEEDS} of each for an interval"
        )
    if anchor.files:
        drawn = generator.integers(fewest, size=(num_resamples, fewest - 1))
        return [(anchor.of_files(some), test.of_files(some)) for some in drawn]
    return [(anchor.resampled(generator), test.resampled(generator)) for _ in range(num_resamples)]


def bootstrap(value: Callable[[Front, Front], float], draws: Draws, /, *, level: float = 0.95) -> Interval:
    """How far ``value`` moves with the seeds.

    Args:
        value: ``pchip_rate`` or ``pchip_quality``.
        draws: what ``draw`` gives.
        level: the interval's level, in 0..1.

    Raises:
        ValueError: fewer than half of the draws can be compared.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife".
    """
    values, num_resamples = [], len(draws)
    for fronts in draws:
        try:
            values.append(value(*fronts))
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Curves:
    """Two curves, each given as its base and its values, both increasing."""

    anchor: tuple[Vector, Vector]
    test: tuple[Vector, Vector]
    convert: Callable[[float], float]
    """Makes the reported value of the mean difference in values."""


def _rate_curves(anchor: Front, test: Front) -> _Curves:
    """Log bytes over quality."""
    _check_comparable(anchor, test, anchor.gain, test.gain, "quality")
    first, second = ((front.gain, np.log10(front.size_bytes)) for front in (anchor, test))
    return _Curves(anchor=first, test=second, convert=_percent)


def _quality_curves(anchor: Front, test: Front) -> _Curves:
    """Quality over log bytes."""
    _check_comparable(anchor, test, anchor.size_bytes, test.size_bytes, "bytes")
    sign = 1.0 if anchor.maximise else -1.0
    first, second = ((np.log10(front.size_bytes), front.gain) for front in (anchor, test))
    return _Curves(anchor=first, test=second, convert=lambda value: sign * value)


def _delta(curves: _Curves) -> Delta:
    base, other = curves.anchor[0], curves.test[0]
    shared = min(base[-1], other[-1]) - max(base[0], other[0])
    pchip, akima = (_mean_difference(curves, method) for method in ("pchip", "akima"))
    overlap = shared / (max(base[-1], other[-1]) - min(base[0], other[0]))
    return Delta(pchip=pchip, akima=akima, overlap=float(overlap))


def _mean_difference(curves: _Curves, method: str) -> float:
    """The mean difference of two curves that are interpolated by ``method``, converted.

    Raises:
        ValueError: two points are too close to interpolate between.
    """
    from bjontegaard import bd_linear  # loads pyplot

    try:
        with np.errstate(all="ignore"):
            mean = bd_linear(*curves.anchor, *curves.test, method=method, require_matching_points=False, min_overlap=0)
        value = curves.convert(float(mean))
    except ValueError:  # from scipy: two points at one place, or an infinite slope
        value = np.nan
    if not np.isfinite(value):
        raise ValueError("steps of a front are too close to interpolate between: no Bjøntegaard delta")
    return value


def _percent(decades: float) -> float:
    return float(100 * np.expm1(np.log(10) * decades))
