"""What earlier sweeps measured, as MLflow holds it, for a searcher to start from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.goals import Goals, Told
from orchestrator.space import Configuration
from trainers.record import COLUMNS, OperatingPoint, from_row

_PLAIN = ("steps", "batch_size", "precision", "init_from")


def earlier_outcomes(tracking_uri: str, sweeps: Sequence[str], goals: Goals) -> list[tuple[Configuration, Told]]:
    """Every configuration of ``sweeps``, oldest first, with what it came to over its seeds.

    Raises:
        ValueError: there is no such sweep.
        ConnectionError: the server does not answer.
    """
    if not sweeps:
        return []
    from analysis.load import load_points

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


def configuration_of(params: Mapping[str, str]) -> Configuration:
    """The configuration that ``tracking.py`` logged as these parameters."""
    configuration: Configuration = {}
    for kind in ("task", "architecture", "method"):
        own = [key for key in params if key.startswith(f"{kind}.")]
        arguments = {key.removeprefix(f"{kind}."): _value(params[key]) for key in own}
        configuration[kind] = {"name": params[kind].partition("(")[0], **arguments}
    modifiers: dict[str, dict[str, Any]] = {}
    for key in (key for key in params if key.startswith("modifiers.")):
        _, name, *setting = key.split(".", 2)
        settings = modifiers.setdefault(name, {})
        settings |= {one: _value(params[key]) for one in setting}
    if modifiers:
        configuration["modifiers"] = modifiers
    return configuration | {key: _value(params[key]) for key in _PLAIN if key in params}


def _value(text: str) -> Any:
    """Texts are logged as they are, anything else as JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
