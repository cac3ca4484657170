"""How fast a sweep finds its front: hypervolume against trials, and against seconds of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.hypervolume import growth
from analysis.pareto import Vector
from analysis.scale import Scale


@dataclass(frozen=True, eq=False, kw_only=True)
class Anytime:
    """A line of steps with its spread over seeds: each value holds from its cost on to the next."""

    cost: Vector
    """(num_steps,), trials or training seconds of one seed, increasing."""
    mean: Vector
    """(num_steps,), the share of the scale's box that is covered, on validation."""
    std: Vector
    """(num_steps,), the sample's (ddof = 1); NaN with one seed."""
    num_seeds: int


def anytime(points: pd.DataFrame, scale: Scale, *, against: Literal["trials", "train_s"]) -> Anytime:
    """The mean growth of the seeds' fronts, each seed by itself as if the sweep had run with it alone.

    Costs are of trials that finished: what failed or was stopped has no row in ``points``. A seed that is at its end
    stays where it is.

    Args:
        points: of one task and one sweep, in the order in which trials started, as ``load.load_points`` gives them.
        scale: the same for all sweeps that are compared.
        against: what is counted.

    Raises:
        ValueError: there are no points.
    """
    if points.empty:
        raise ValueError("no points to follow: no run has finished yet")
    curves = [_curve(rows, scale, against) for _, rows in points.groupby("seed")]
    costs = np.unique(np.concatenate([cost for cost, _ in curves]))
    values = np.array(  # (num_seeds, num_steps), 0 before the first point of a seed
        [np.concatenate([[0.0], covered])[np.searchsorted(cost, costs, side="right")] for cost, covered in curves]
    )
    std = values.std(axis=0, ddof=1) if len(curves) > 1 else np.full(len(costs), np.nan)
    return Anytime(cost=costs, mean=values.mean(axis=0), std=std, num_seeds=len(curves))


def _curve(rows: pd.DataFrame, scale: Scale, against: str) -> tuple[Vector, Vector]:
    """Of one seed, a row for each trial, which may have several points: its cost and what is covered after it."""
    covered = growth(rows["size_bytes"], rows["quality_val"], scale.reference) / scale.area
    trials = rows.assign(covered=covered).groupby(["sweep_id", "trial_id"], sort=False)
    values = np.asarray(trials["covered"].max(), np.float64)
    seconds = np.asarray(trials["train_s"].max().cumsum(), np.float64)
    return seconds if against == "train_s" else np.arange(1.0, len(values) + 1), values
