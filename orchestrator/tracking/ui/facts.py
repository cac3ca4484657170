"""Finds in a sweep's measured points what its prepared views depend on, such as the settings that vary."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.points.labels import is_number, varied_settings
from analysis.points.metric_names import other_metrics, quality_metric
from analysis.points.qualities import directions
from analysis.signals import is_fitted, rate_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the prepared views of one sweep depend on."""

    sweep_id: str
    quality_metric: str
    """The name of the quality's metric over test data; with ``_val`` appended, over validation data."""
    other_metrics: tuple[str, ...]
    """Those of the task's other qualities, likewise."""
    maximise: bool
    is_fitted: bool
    """Whether the task is one signal: the two metrics of a quality are the same then."""
    rate_metric: str
    """The metric of the bits for each sample of the signal; empty where the task is none."""
    num_points: int
    num_seeds: int
    """How many seeds the configuration with the most has."""
    architectures: tuple[str, ...]
    settings: Mapping[str, tuple[str, ...]]
    """The parameters that vary within each method, by its name."""
    numeric: frozenset[str]
    """The varying parameters whose values are all numbers: these can be drawn on an axis."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The varying parameters of all methods, each once."""
        return tuple(dict.fromkeys(name for names in self.settings.values() for name in names))


def facts_of(points: pd.DataFrame) -> Facts:
    """The facts of one sweep.

    Args:
        points: its points, at least one, as ``analysis.points.mlflow.load_points`` gives them.
    """
    by_method: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for method, params in zip(points["method"], points["params"], strict=True):
        by_method[method].append(json.loads(params))
    settings = {method: tuple(varied_settings(params)) for method, params in sorted(by_method.items())}
    given = [params for some in by_method.values() for params in some]
    names = {name for some in settings.values() for name in some}
    first = points.iloc[0]
    return Facts(
        sweep_id=str(first["sweep_id"]),
        quality_metric=quality_metric(str(first["quality_name"])),
        other_metrics=tuple(other_metrics(str(first["quality_name"]), directions(points["others"])).values()),
        maximise=bool(first["maximise"]),
        is_fitted=is_fitted(points),
        rate_metric=rate_of(points),
        num_points=len(points),
        num_seeds=int(points.groupby(["config_hash", "point_id"]).size().max()),
        architectures=tuple(sorted(points["architecture"].unique())),
        settings=settings,
        numeric=frozenset(name for name in names if all(is_number(some[name]) for some in given if name in some)),
    )
