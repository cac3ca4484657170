"""How far one front is from another, as single numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import moocore
import numpy as np

from analysis.fronts.pareto import Front
from analysis.fronts.scale import Scale


@dataclass(frozen=True, kw_only=True)
class Indicators:
    """What a front lacks compared with another; smaller is better in each."""

    epsilon: float
    """Additive epsilon: how much the points must improve in both bytes and quality, on ``Scale``, until they are as
    good as every point of the other front. Negative where the whole other front is beaten."""
    epsilon_factor: float
    """Multiplicative epsilon: the same as a factor on both bytes and quality, 1 where nothing is lacking. NaN where a
    quality is not positive."""
    igd_plus: float
    """IGD+: the mean distance, on ``Scale``, from each point of the other front to what this front attains. 0 where
    every point of the other is attained."""


def indicators(front: Front, other: Front, scale: Scale, /) -> Indicators:
    """What ``front`` lacks compared with ``other``, such as the front of all compared sets together.

    Source: Zitzler et al. 2003, "Performance assessment of multiobjective optimizers" (epsilon); Ishibuchi et al.
    2015, "Modified distance calculation in generational distance and inverted generational distance" (IGD+).

    Raises:
        ValueError: a front is empty.
    """
    if not len(front) or not len(other):
        raise ValueError("got a front without a measured point: wanted two with at least one")
    costs, others = scale.costs(front), scale.costs(other)
    factor = math.nan
    if min(front.quality.min(), other.quality.min()) > 0:
        raw, raw_others = (np.column_stack([one.size_bytes, one.quality]) for one in (front, other))
        factor = float(moocore.epsilon_mult(raw, ref=raw_others, maximise=[False, front.maximise]))
    return Indicators(
        epsilon=float(moocore.epsilon_additive(costs, ref=others)),
        epsilon_factor=factor,
        igd_plus=float(moocore.igd_plus(costs, ref=others)),
    )


def pooled(*fronts: Front) -> Front:
    """The front of all points of ``fronts``."""
    return Front.of(
        np.concatenate([front.size_bytes for front in fronts]),
        np.concatenate([front.quality for front in fronts]),
        maximise=fronts[0].maximise,
    )
