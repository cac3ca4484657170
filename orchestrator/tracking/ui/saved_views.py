"""Prepares the views of a sweep that MLflow's UI opens by name: columns, filter, order and charts, kept as tags of its
experiment.

Every sweep has its own, because several may share an experiment, and settings, columns and frontier differ.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

from analysis.points.mlflow import VIEW_TAG
from orchestrator.tracking.names import EPOCH_METRICS
from orchestrator.tracking.ui.charts import Card, line, metric, parallel, param, scatter, section
from orchestrator.tracking.ui.facts import Facts
from orchestrator.tracking.ui.links import landing, view_id

MAX_TAG_LENGTH = 20_000
"""The longest tag of an experiment that MLflow takes."""

_POINT_METRICS = (
    *("size_bytes", "log10_size_bytes", "compression_ratio", "bits_per_parameter", "uncompressed_bytes"),
    *("num_parameters", "num_steps", "macs", "train_s"),
)

_WIDTHS = {param("architecture"): 180, param("method"): 110, param("seed"): 60}  # pixels


def metric_names(facts: Facts) -> tuple[str, ...]:
    """All metrics that the runs of a sweep have."""
    name = facts.quality_metric
    others = (metric for other in facts.other_metrics for metric in (other, f"{other}_val"))
    rate = (facts.rate_metric,) if facts.rate_metric else ()
    return (*_POINT_METRICS, *rate, *EPOCH_METRICS.values(), name, f"{name}_val", f"epoch_{name}_val", *others)


def view_tags(facts: Facts, *, now_ms: int) -> dict[str, str]:
    """The views of a sweep, by the experiment's tag that holds each.

    - ``frontier``: the runs on the frontier, smallest file first;
    - ``points``: all points, smallest file first;
    - ``means``: means over seeds, where there are several;
    - ``curves``: how the trials trained, the best first.

    Args:
        facts: what the views depend on.
        now_ms: milliseconds since 1970, which the UI shows as the views' date.
    """
    points = [*_scatters(facts), *_parallels(facts)]
    point, front = "ratefront.point", "ratefront.pareto"
    whole = point if landing(facts.num_points) == "points" else front
    made = {
        "frontier": _view(facts, _is(front), points, title="Frontier"),
        "points": _view(facts, _is(point), points, title="All points"),
        "curves": _curves(facts),
    }
    if facts.num_seeds > 1:
        means = _view(facts, _is(whole), _scatters(facts), title="Means over seeds")
        made["means"] = {**means, "groupBy": _over_seeds(facts), "useGroupedValuesInCharts": True}
    return {
        VIEW_TAG + view_id(facts.sweep_id, name): _packed(f"{facts.sweep_id}: {name}", state, now_ms)
        for name, state in made.items()
    }


def _scatters(facts: Facts) -> list[Card]:
    """Quality over size, on test data and on validation data: validation chooses, test reports; of a signal once."""
    over_size = [scatter("log10_size_bytes", facts.quality_metric)]
    return over_size + ([] if facts.is_fitted else [scatter("log10_size_bytes", f"{facts.quality_metric}_val")])


def _parallels(facts: Facts) -> list[Card]:
    """Parallel coordinates for each method on its own: a run without one of the settings would not be drawn."""
    metrics = ("log10_size_bytes", f"{facts.quality_metric}_val")
    by_architecture = ("architecture",) if len(facts.architectures) > 1 else ()
    numbers = [[name for name in names if name in facts.numeric] for names in facts.settings.values()]
    cards = [parallel([*by_architecture, *names], metrics) for names in numbers if names]
    return cards or [parallel(["architecture", "method"], metrics)]


def _curves(facts: Facts) -> dict[str, Any]:
    """The view of training curves. It shows trials: the several points of one trial have no history of their own."""
    quality = f"epoch_{facts.quality_metric}_val"
    cards = [line(quality), line("epoch_train_loss", logarithmic=True), line("epoch_rate_bits", logarithmic=True)]
    found = "tags.`ratefront.kind` = 'trial'"
    return _view(facts, found, cards, title="Training", order=quality, ascending=not facts.maximise)


def _is(tag: str) -> str:
    return f"tags.`{tag}` = 'true'"


def _over_seeds(facts: Facts) -> dict[str, Any]:
    names = ("architecture", "method", *facts.columns)
    return {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": name} for name in names]}


def _view(
    facts: Facts,
    condition: str,
    cards: Sequence[Card],
    *,
    title: str,
    order: str = "size_bytes",
    ascending: bool = True,
) -> dict[str, Any]:
    name = facts.quality_metric
    both = () if facts.is_fitted else (f"{name}_val",)
    rate = (facts.rate_metric,) if facts.rate_metric else ()
    keys = ("size_bytes", *rate, *both, name, *facts.other_metrics, "compression_ratio")
    shown = [metric(key) for key in keys]
    shown += [param(key) for key in ("architecture", "method", *facts.columns, "seed")]
    return {
        "searchFilter": f"{condition} AND tags.`ratefront.sweep_id` = '{facts.sweep_id}'",
        "orderByKey": metric(order),  # by a metric: else the UI hides trials below the sweep's run
        "orderByAsc": ascending,
        "selectedColumns": shown,
        "columnOrder": shown,
        "columnWidths": {key: _WIDTHS.get(key, 105) for key in shown},
        "runsHiddenMode": "SHOW_ALL",
        **section(title, cards, without=metric_names(facts)),
    }


def _packed(name: str, state: dict[str, Any], now_ms: int) -> str:
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    text = json.dumps({"name": name, "createdAt": now_ms, "updatedAt": now_ms, "state": f"deflate;{packed}"})
    assert len(text) < MAX_TAG_LENGTH, f"the view {name!r} has {len(text)} characters"
    return text
