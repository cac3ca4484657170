"""Reads from MLflow what earlier sweeps measured, for a searcher to start from."""

from __future__ import annotations

import json
from collections.abc import Sequence

from orchestrator.search.goals import Goals, Told
from orchestrator.search.space import Configuration, SpecSpace
from orchestrator.tracking.names import configuration_of
from trainers.config import Spec
from trainers.record import COLUMNS, OperatingPoint, from_row


def earlier_outcomes(
    tracking_uri: str, sweeps: Sequence[str], goals: Goals, task: SpecSpace | None = None
) -> list[tuple[Configuration, Told]]:
    """Every configuration of some sweeps, oldest first, with what was observed over its repeats.

    One that lacks a file which others have in turn is left out: its mean would be over other files.

    Args:
        tracking_uri: MLflow's address.
        sweeps: ids, or names for the newest sweep of each name; where there are none, MLflow is not asked.
        goals: objectives and constraints of the search that hears of them.
        task: what the search is for: where earlier sweeps had the same files in turn, their paths do not matter.

    Raises:
        ValueError: there is no such sweep.
        ConnectionError: the server does not answer.
    """
    if not sweeps:
        return []
    from analysis.fronts.over_files import balanced, has_files
    from analysis.points.mlflow import load_points
    from trainers.instantiate import task_text  # loads torch

    by_hash: dict[str, dict[int, list[OperatingPoint]]] = {}
    configurations: dict[str, Configuration] = {}
    points = load_points(tracking_uri, sweeps)
    own = None if task is None else Spec.from_dict("task", task.to_dict())
    if has_files(points):
        points = balanced(points).query("num_failed == 0")
    for row in points.to_dict("records"):
        point = from_row({name: row[name] for name in COLUMNS})
        by_hash.setdefault(point.config_hash, {}).setdefault(point.seed, []).append(point)
        configuration = configuration_of(json.loads(row["params"]))
        if own is not None and row["task_file"] and point.task == task_text(own):
            configuration["task"] = own.to_dict()
        configurations[point.config_hash] = configuration
    outcomes: list[tuple[Configuration, Told]] = []
    for config_hash, by_seed in by_hash.items():
        told = goals.told(list(by_seed.values()), [known for _, known in outcomes])
        if told is not None:
            outcomes.append((configurations[config_hash], told))
    return outcomes
