"""How soon recorded sweeps of one task find their fronts: hypervolume on validation over steps of training.

    python -m benchmarks.anytime results/lenet300_path results/lenet300_apart results/lenet300_tpe

Steps, not seconds: the machine may have been busy while one of them ran, and a step of a path costs what any other
does. Each seed is followed by itself. The box has all of their fronts in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from analysis.fronts.anytime import Anytime, anytime
from analysis.fronts.pareto import Front
from analysis.fronts.repeats import whole
from analysis.fronts.scale import Scale, around
from analysis.points.exported import read_points
from benchmarks.report import print_table

_STEPS: Literal["train_s"] = "train_s"  # steps stand in the column of seconds


def box_of(sweeps: Sequence[pd.DataFrame]) -> Scale:
    """The box around the fronts of all sweeps."""
    return around(str(sweeps[0]["quality_name"].iloc[0]), [front_of(points) for points in sweeps])


def front_of(points: pd.DataFrame) -> Front:
    """The front of means over seeds."""
    means = whole(points, measure="quality_val")
    return Front.of(means["size_bytes"], means["quality_val"], maximise=bool(points["maximise"].iloc[0]))


def check_alike(sweeps: Mapping[str, pd.DataFrame]) -> None:
    """Refuse sweeps that share no box.

    Raises:
        ValueError: they differ in task or quality.
    """
    kinds = {
        (task, name)
        for points in sweeps.values()
        for task, name in zip(points["task"], points["quality_name"], strict=True)
    }
    if len(kinds) > 1:
        raise ValueError(f"the sweeps differ in task or quality: {sorted(kinds)}")


def followed(points: pd.DataFrame, box: Scale) -> Anytime:
    """The hypervolume over steps of one sweep, whose trainings all finished."""
    points = points.assign(train_s=points["num_steps"].astype(float))
    trials = points.groupby("trial_id", as_index=False)[["seed", "train_s"]].max()
    return anytime(points, trials, box, against=_STEPS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="results that ratefront export wrote, of one task")
    folders = parser.parse_args().folders
    try:
        sweeps = {folder.name: read_points(folder) for folder in folders}
        check_alike(sweeps)
    except ValueError as error:
        parser.error(str(error))
    box = box_of(list(sweeps.values()))
    curves = {name: followed(points, box) for name, points in sweeps.items()}
    budgets = sorted({int(curve.cost[-1]) for curve in curves.values()})
    rows = []
    for name, curve in curves.items():
        at = [np.searchsorted(curve.cost, budget, side="right") - 1 for budget in budgets]
        shares = ["-" if place < 0 else f"{100 * curve.mean[place]:.1f} ± {100 * curve.std[place]:.1f}" for place in at]
        rows.append([name, str(curve.num_seeds), f"{int(curve.cost[-1]):,}", *shares])
    heads = ["sweep", "seeds", "steps of a seed", *(f"after {budget:,}" for budget in budgets)]
    print_table("hypervolume on validation, % of the box; mean ± standard deviation over seeds", heads, rows)


if __name__ == "__main__":
    main()
