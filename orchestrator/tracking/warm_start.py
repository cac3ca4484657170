"""Reads from MLflow what earlier sweeps measured, for a searcher to start from."""

from __future__ import annotations

import json
from collections.abc import Sequence

from orchestrator.search.goals import Goals, Told
from orchestrator.search.space import Configuration
from orchestrator.tracking.names import configuration_of
from trainers.record import COLUMNS, OperatingPoint, from_row


def earlier_outcomes(tracking_uri: str, sweeps: Sequence[str], goals: Goals) -> list[tuple[Configuration, Told]]:
    """Every configuration of some sweeps, oldest first, with what was observed over its seeds.

    Args:
        tracking_uri: MLflow's address.
        sweeps: ids, or names for the newest sweep of each name; where there are none, MLflow is not asked.
        goals: objectives and constraints of the search that hears of them.

    Raises:
        ValueError: there is no such sweep.
        ConnectionError: the server does not answer.
    """
    if not sweeps:
        return []
    from analysis.points.mlflow import load_points

    by_hash: dict[str, dict[int, list[OperatingPoint]]] = {}
    configurations: dict[str, Configuration] = {}
    for row in load_points(tracking_uri, sweeps).to_dict("records"):
        point = from_row({name: row[name] for name in COLUMNS})
        by_hash.setdefault(point.config_hash, {}).setdefault(point.seed, []).append(point)
        configurations[point.config_hash] = configuration_of(json.loads(row["params"]))
    outcomes: list[tuple[Configuration, Told]] = []
    for config_hash, by_seed in by_hash.items():
        told = goals.told(list(by_seed.values()), [known for _, known in outcomes])
        if told is not None:
            outcomes.append((configurations[config_hash], told))
    return outcomes
