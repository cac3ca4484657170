"""How fast a sweep finds its front: hypervolume against trials, and against seconds of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.fronts.hypervolume import growth
from analysis.fronts.over_files import stored_last
from analysis.fronts.pareto import Vector
from analysis.fronts.repeats import whole
from analysis.fronts.scale import Scale


@dataclass(frozen=True, eq=False, kw_only=True)
class Anytime:
    """A line of steps with its spread over seeds: each value holds from its cost to the next."""

    cost: Vector
    """(num_steps,), trials or training seconds of one seed, increasing."""
    mean: Vector
    """(num_steps,), the share of the scale's box that is covered by validation quality, mean over seeds."""
    std: Vector
    """(num_steps,), the sample standard deviation over seeds (ddof = 1); NaN with one seed."""
    num_seeds: int


def anytime(
    points: pd.DataFrame, trials: pd.DataFrame, scale: Scale, *, against: Literal["trials", "train_s"]
) -> Anytime:
    """How the front of one seed grows, averaged over seeds: each is followed as if the sweep had run with it alone.

    Every trial costs. A trial adds nothing if it failed, was stopped, or belongs to a configuration with a failed seed.
    A point counts from the moment at which it was stored: on the way along a path, before its trial's end. A seed whose
    trials have all run keeps its last value.

    Args:
        points: those of one task and one sweep, as ``load_points`` gives them.
        trials: every trial that began, in order, with ``trial_id``, ``seed`` and ``train_s``.
        scale: the same for all sweeps that are compared.
        against: what the cost counts.

    Raises:
        ValueError: there are no points.
    """
    if points.empty:
        raise ValueError("no points to follow: no run has finished yet")
    measured = stored_last(whole(points, measure="quality_val"))
    curves = [_curve(rows, measured, scale, against) for _, rows in trials.groupby("seed")]
    costs = np.unique(np.concatenate([cost for cost, _ in curves]))
    values = np.array(  # (num_seeds, num_steps), 0 before a seed's first point
        [np.concatenate([[0.0], covered])[np.searchsorted(cost, costs, side="right")] for cost, covered in curves]
    )
    std = values.std(axis=0, ddof=1) if len(curves) > 1 else np.full(len(costs), np.nan)
    return Anytime(cost=costs, mean=values.mean(axis=0), std=std, num_seeds=len(curves))


def _curve(trials: pd.DataFrame, points: pd.DataFrame, scale: Scale, against: str) -> tuple[Vector, Vector]:
    """The cost of each point and each trial of one seed, increasing, and what is covered after it.

    A trial may have several points, stored while it trained or at its end, or none.
    """
    place = pd.Index(trials["trial_id"]).get_indexer(pd.Index(points["trial_id"]))  # -1: of another seed
    rows, place = points[place >= 0], place[place >= 0]
    if against == "train_s":
        seconds = trials["train_s"].to_numpy(np.float64)
        ends = np.cumsum(seconds)
        stored = ends[place] - np.maximum(seconds[place] - rows["train_s"].to_numpy(np.float64), 0)
    else:
        ends = np.arange(1.0, len(trials) + 1)
        stored = ends[place]
    order = np.argsort(stored, kind="stable")
    rows = rows.iloc[order]
    covered = growth(rows["size_bytes"], rows["quality_val"], scale.reference) / scale.area
    costs = np.concatenate([stored[order], ends])
    values = np.concatenate([covered, np.zeros(len(ends))])  # a trial's end is a price, and covers nothing by itself
    by_cost = pd.Series(values, index=costs).groupby(level=0).max().cummax()
    return np.asarray(by_cost.index, np.float64), by_cost.to_numpy()
