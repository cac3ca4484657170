"""What how many seeds attain: the band around a front, the mean front, the difference between two sweeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import NDArray

from analysis.fronts.hypervolume import Reference, hypervolume
from analysis.fronts.pareto import Front, Vector


@dataclass(frozen=True, eq=False, kw_only=True)
class Band:
    """Three lines of steps over the same sizes: each quality holds from its size to the next."""

    size_bytes: Vector
    """(num_steps,), increasing."""
    best: Vector
    """(num_steps,), the quality that at least one seed attains; NaN where none does."""
    median: Vector
    """(num_steps,), what more than half of the seeds attain: with an even number, the worse of the middle two."""
    worst: Vector
    """(num_steps,), what every seed attains."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Difference:
    """Where one sweep attains more or less often than another: rectangles that do not overlap."""

    size_bytes: NDArray[np.float64]
    """(num_rectangles, 2), left and right."""
    quality: NDArray[np.float64]
    """(num_rectangles, 2), low and high."""
    share: Vector
    """(num_rectangles,), the share of the second's seeds that attain it less the share of the first's, in -1..1."""
    gained: float
    """The area where the second attains more often, weighted by share, in decades of bytes times quality."""
    lost: float
    """The area where it attains less often, weighted alike; ``gained - lost`` is the difference in mean hypervolume."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Vorobev:
    """The mean front of seeds, and how far the seeds are from it."""

    expectation: Front
    share: float
    """The share of seeds that attain the expectation."""
    deviation: float
    """The mean area between a seed's front and the expectation, in decades of bytes times quality."""


def surface(fronts: Sequence[Front], num_seeds: int, /) -> Front:
    """The front that at least ``num_seeds`` of ``fronts`` attain; a front without points attains nothing.

    Source: Grunert da Fonseca, Fonseca, Hall 2001, "Inferential performance assessment of stochastic optimisers and
    the attainment function".
    """
    filled = [front for front in fronts if len(front)]
    if len(filled) < num_seeds:
        return Front.of([], [], maximise=fronts[0].maximise)
    costs, seeds = _stacked(filled)
    attained = moocore.eaf(costs, seeds, percentiles=[100 * num_seeds / len(filled)])
    return _front(attained[:, :2], filled)


def median(fronts: Sequence[Front], /) -> Front:
    """The front that more than half of ``fronts`` attain."""
    return surface(fronts, len(fronts) // 2 + 1)


def band(fronts: Sequence[Front], /) -> Band:
    """Best, median and worst of the seeds' fronts.

    Raises:
        ValueError: there is no seed.
    """
    _check_any(fronts)
    best, middle, worst = surface(fronts, 1), median(fronts), surface(fronts, len(fronts))
    sizes = np.unique(np.concatenate([best.size_bytes, middle.size_bytes, worst.size_bytes]))
    return Band(
        size_bytes=sizes,
        best=best.quality_at(sizes),
        median=middle.quality_at(sizes),
        worst=worst.quality_at(sizes),
    )


def difference(first: Sequence[Front], second: Sequence[Front], reference: Reference, /) -> Difference:
    """Where the seeds of ``second`` attain more or less often than those of ``first``, up to the corner ``reference``.

    Source: López-Ibáñez, Paquete, Stützle 2010, "Exploratory analysis of stochastic local search algorithms in
    biobjective optimization".

    Raises:
        ValueError: one of the two has no seed, or a seed without a measured point.
    """
    for fronts in (first, second):
        _check_any(fronts)
        if not all(len(front) for front in fronts):
            raise ValueError("a seed has no measured point: wanted at least one for each to count what they attain")
    # moocore rounds shares where the two have unequal numbers of sets: repeating sets keeps every share exact
    num_shares = math.lcm(len(first), len(second))
    tables = [
        np.column_stack(_stacked([front for front in fronts for _ in range(num_shares // len(fronts))]))
        for fronts in (second, first)
    ]
    try:
        found = moocore.eafdiff(*tables, intervals=num_shares, rectangles=True)
    except ValueError:  # moocore 0.3 fails where nothing differs
        found = np.empty((0, 5))
    corner = reference.corner
    left, right = np.minimum(found[:, 0], corner[0]), np.minimum(found[:, 2], corner[0])
    low, high = (np.minimum(np.sort(found[:, [1, 3]], axis=1), corner[1])[:, end] for end in (0, 1))
    area, share = (right - left) * (high - low), found[:, 4] / num_shares
    kept = (area > 0) & (share != 0)
    qualities = np.column_stack([-high, -low] if reference.maximise else [low, high])
    return Difference(
        size_bytes=10 ** np.column_stack([left, right])[kept],
        quality=qualities[kept],
        share=share[kept],
        gained=float(np.sum((area * share)[kept & (share > 0)])),
        lost=float(-np.sum((area * share)[kept & (share < 0)])),
    )


def vorobev(fronts: Sequence[Front], reference: Reference, /) -> Vorobev:
    """Vorob'ev expectation and deviation.

    The expectation is the surface with the smallest hypervolume that is at least the mean of the seeds' hypervolumes.

    Source: Molchanov 2005, "Theory of random sets", section 2.2; Binois, Ginsbourger, Roustant 2015, "Quantifying
    uncertainty on Pareto fronts with Gaussian process conditional simulations".

    Raises:
        ValueError: no seed has a measured point.
    """
    if not any(len(front) for front in fronts):
        raise ValueError("no seed has a measured point: wanted at least one")
    covered = [hypervolume(front.size_bytes, front.quality, reference) for front in fronts]
    mean = float(np.mean(covered))
    for num_seeds in range(len(fronts), 0, -1):  # from what all attain to what one attains
        expectation = surface(fronts, num_seeds)
        area = hypervolume(expectation.size_bytes, expectation.quality, reference)
        if area >= mean * (1 - 1e-12):
            break
    unions = [
        hypervolume(
            np.concatenate([front.size_bytes, expectation.size_bytes]),
            np.concatenate([front.quality, expectation.quality]),
            reference,
        )
        for front in fronts
    ]
    deviation = 2 * float(np.mean(unions)) - mean - area
    return Vorobev(expectation=expectation, share=num_seeds / len(fronts), deviation=max(deviation, 0.0))


def _check_any(fronts: Sequence[Front]) -> None:
    if not fronts:
        raise ValueError("got no seed: wanted at least one front")


def _stacked(fronts: Sequence[Front]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All points as costs, (num_points, 2), and for each the index of its front; moocore wants these in order."""
    return np.concatenate([front.costs for front in fronts]), np.repeat(
        np.arange(len(fronts)), [len(front) for front in fronts]
    )


def _front(costs: NDArray[np.float64], fronts: Sequence[Front]) -> Front:
    """The inverse of ``Front.costs``: it restores the exact sizes and qualities that were measured."""
    maximise = fronts[0].maximise
    sizes = np.unique(np.concatenate([front.size_bytes for front in fronts]))
    places = np.searchsorted(np.log10(sizes), costs[:, 0])
    return Front.of(sizes[places], -costs[:, 1] if maximise else costs[:, 1], maximise=maximise)
