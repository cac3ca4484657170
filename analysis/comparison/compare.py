"""Sets of points compared in numbers: each set by itself, and each against one anchor.

Validation chooses the fronts and the test split measures them. Uncompressed networks are left out: one point far from
the others would stretch every curve.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from analysis.configurations.summary import summarise
from analysis.fidelity import BY_QUALITY_NAME
from analysis.fronts.attainment import vorobev
from analysis.fronts.bd_rate import (
    Delta,
    Draws,
    Interval,
    bd_quality,
    bd_rate,
    bootstrap,
    draw,
    pchip_quality,
    pchip_rate,
)
from analysis.fronts.indicators import Indicators, indicators, pooled
from analysis.fronts.pareto import Front
from analysis.fronts.repeats import Repeats, seed_fronts
from analysis.fronts.scale import Scale, scale_for
from analysis.keys import KEY, REFERENCE_METHOD, REPEAT_KEY
from analysis.signals import is_fitted, split_of
from analysis.units import quality_scale

T = TypeVar("T")

BOOTSTRAP_SEED = 0
"""The seed of the bootstrap is fixed: the same points give the same intervals."""
NUM_RESAMPLES = 1000
_MOST_LEVELS = 5
_FINEST = 0.01
"""The smallest step between two levels, in quality as shown: in percent for accuracies."""
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One of the compared sets, by itself."""

    name: str
    configurations: pd.DataFrame
    """What ``summarise`` makes of this side's points."""
    repeats: Repeats
    front: Front
    """The front of the means over seeds, at test quality. Every number but the deviation is computed from it."""
    seeds: tuple[Front, ...]
    """The front of each seed, over the configurations that have all seeds; empty with one seed."""
    hypervolume: float
    """The share of the scale's box that the front covers, in 0..1."""
    deviation: float
    """Vorob'ev deviation of the seeds' fronts, as a share of the same box; NaN with one seed."""
    lacks: Indicators
    """What the front lacks compared with the front of all sides together."""
    num_steps: tuple[int, int]
    """Optimiser steps over all phases: the fewest and the most of a training on the front."""
    train_s: float
    """Median seconds of a training on the front."""


@dataclass(frozen=True, kw_only=True)
class Against:
    """One side against the anchor."""

    name: str
    rate: Delta | None
    """BD-rate in percent of the anchor's bytes, over the logarithm of the quality where that is a distance; None where
    it is not defined, and ``reason`` says why."""
    rate_interval: Interval | None
    quality: Delta | None
    """BD-quality: the difference at equal bytes, in units of quality."""
    quality_interval: Interval | None
    reason: str
    """Why the rate or its interval is missing; empty where there are both."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """How many bytes each side needs for one quality."""

    quality: float
    size_bytes: tuple[float, ...]
    """For each side in order, the smallest point of its front that is at least as good."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two or more sides, the anchor first, and the scale that they share."""

    task: str
    quality_name: str
    scale: Scale
    sides: tuple[Side, ...]
    against: tuple[Against, ...]
    """Every side but the anchor, in order."""
    levels: tuple[Level, ...]
    """Qualities from the worst to the best; empty where the fronts share no range of quality."""
    is_fitted: bool = False
    """Whether the task is one signal, so that quality is that of the signal itself."""

    @property
    def split(self) -> str:
        """Where the quality is reported."""
        return split_of(self.quality_name, fitted=self.is_fitted)

    @property
    def anchor(self) -> Side:
        return self.sides[0]


def compare(named: Mapping[str, pd.DataFrame], /, *, num_resamples: int = NUM_RESAMPLES) -> Comparison:
    """Compare sets of points, such as those of two sweeps or of the methods of one.

    Args:
        named: points by the name of their side, as ``load_points`` gives them; the first side is the anchor.
        num_resamples: how often the bootstrap draws seeds anew. It starts from ``BOOTSTRAP_SEED`` for each pair of
            sides, so an interval depends on these two alone.

    Raises:
        ValueError: there are fewer than two sides, they differ in task or quality, or a side has no compressed
            network whose seeds all finished.
    """
    if len(named) < 2:
        raise ValueError(f"got {', '.join(named) or 'nothing'}: wanted at least two to compare")
    # sorted, so that the order in which runs were logged changes no draw of seeds
    compressed = {
        name: points[points["method"] != REFERENCE_METHOD].sort_values(REPEAT_KEY, ignore_index=True)
        for name, points in named.items()
    }
    repeats = {name: Repeats.of(points, measure="quality") for name, points in compressed.items()}
    for name, found in repeats.items():
        if not len(found.front):
            raise ValueError(f"{name} has no compressed network of which every seed finished: nothing to compare")
    task, quality_name = (_shared(compressed, column) for column in ("task", "quality_name"))
    _shared(compressed, "maximise")
    _check_files(repeats)
    fronts = {name: found.front for name, found in repeats.items()}
    scale = scale_for(quality_name, list(fronts.values()))
    joint = pooled(*fronts.values())
    sides = []
    for name, points in compressed.items():
        seeds = tuple(front for front in seed_fronts(points, measure="quality") if len(front))
        configurations = summarise(points)
        trained = points.merge(configurations.loc[configurations["on_front"], KEY], on=KEY)
        sides.append(
            Side(
                name=name,
                configurations=configurations,
                repeats=repeats[name],
                front=fronts[name],
                seeds=seeds,
                hypervolume=scale.hypervolume(fronts[name]),
                deviation=vorobev(seeds, scale.reference).deviation / scale.area if seeds else math.nan,
                lacks=indicators(fronts[name], joint, scale),
                num_steps=(int(trained["num_steps"].min()), int(trained["num_steps"].max())),
                train_s=float(trained["train_s"].median()),
            )
        )
    rates = (_on_logarithms(bd_rate), _on_logarithms(pchip_rate)) if quality_name in BY_QUALITY_NAME else _RATES
    return Comparison(
        task=task,
        quality_name=quality_name,
        scale=scale,
        sides=tuple(sides),
        against=tuple(_against(sides[0], side, num_resamples, rates) for side in sides[1:]),
        levels=_levels(list(fronts.values()), quality_name),
        is_fitted=is_fitted(pd.concat(list(compressed.values()))),
    )


def _shared(named: Mapping[str, pd.DataFrame], column: str) -> str:
    """The value of ``column`` that all sides share."""
    values = {name: sorted(map(str, points[column].unique())) for name, points in named.items()}
    first, *_ = values
    for name, found in values.items():
        if found != values[first] or len(found) > 1:
            raise ValueError(
                f"{first} has {column} {', '.join(values[first])} and {name} {', '.join(found)}: "
                "only points of the same can be compared"
            )
    return values[first][0]


def _check_files(repeats: Mapping[str, Repeats]) -> None:
    """Refuse sides that are means over different files.

    Raises:
        ValueError: one lacks a file that another has.
    """
    first, *others = repeats.items()
    for name, found in others:
        (more, some), (fewer, rest) = sorted([first, (name, found)], key=lambda side: -len(side[1].files))
        lacking = sorted({*some.files} - {*rest.files})
        if lacking:
            raise ValueError(
                f"{fewer} has no whole configuration with {lacking[0]}, and {more} has: means over different files "
                "cannot be compared"
            )


Rates = tuple[Callable[[Front, Front], Delta], Callable[[Front, Front], float]]
_RATES: Rates = (bd_rate, pchip_rate)


def _on_logarithms(delta: Callable[[Front, Front], T]) -> Callable[[Front, Front], T]:
    """``delta`` at equal logarithms of the quality, which spans decades where it is a distance."""

    def logarithm(front: Front) -> Front:
        if not (front.quality > 0).all():
            raise ValueError("a point of a front lies at distance 0, which has no logarithm")
        return replace(front, quality=np.log10(front.quality))

    return lambda anchor, test: delta(logarithm(anchor), logarithm(test))


def _against(anchor: Side, side: Side, num_resamples: int, rates: Rates) -> Against:
    @functools.cache
    def draws() -> Draws:
        generator = np.random.default_rng(BOOTSTRAP_SEED)
        return draw(anchor.repeats, side.repeats, generator=generator, num_resamples=num_resamples)

    rate, rate_interval, reason = _delta(*rates, anchor, side, draws)
    quality, quality_interval, _ = _delta(bd_quality, pchip_quality, anchor, side, draws)
    return Against(
        name=side.name,
        rate=rate,
        rate_interval=rate_interval,
        quality=quality,
        quality_interval=quality_interval,
        reason=reason,
    )


def _delta(
    delta: Callable[[Front, Front], Delta],
    value: Callable[[Front, Front], float],
    anchor: Side,
    side: Side,
    draws: Callable[[], Draws],
) -> tuple[Delta | None, Interval | None, str]:
    """The delta, the interval of its value, and why one of them is missing."""
    try:
        found = delta(anchor.front, side.front)
    except ValueError as error:
        return None, None, str(error)
    try:
        return found, bootstrap(value, draws()), ""
    except ValueError as error:
        return found, None, str(error)


def _levels(fronts: list[Front], quality_name: str) -> tuple[Level, ...]:
    """Round qualities within the range that all fronts share.

    They lie closer together towards the best quality, where fronts bend.
    """
    start, end = max(front.gain[0] for front in fronts), min(front.gain[-1] for front in fronts)
    if end < start:
        return ()
    factor, sign = quality_scale(quality_name)[0], 1.0 if fronts[0].maximise else -1.0
    losses = _round_losses(factor * (end - start))
    grid = 10.0 ** math.floor(math.log10(losses[0])) if losses else _FINEST
    best = math.floor(factor * end / grid + _ROUNDING) * grid
    gains = [round(best - loss, 9) / factor for loss in (0.0, *losses)]
    gains = sorted(gain for gain in gains if gain >= start - _ROUNDING) or [end]
    return tuple(
        Level(
            quality=sign * gain,
            size_bytes=tuple(float(front.size_at([sign * (gain - _ROUNDING)])[0]) for front in fronts),
        )
        for gain in gains
    )


def _round_losses(largest: float) -> list[float]:
    """The last few of the series ..., 1, 2, 5, 10, 20, ... up to ``largest``, smallest first."""
    if largest < _FINEST:
        return []
    decades = range(round(math.log10(_FINEST)), math.floor(math.log10(largest)) + 1)
    losses = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    return [loss for loss in losses if loss <= largest][1 - _MOST_LEVELS :]
