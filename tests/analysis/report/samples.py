"""A small sweep's data for tests of reports."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from analysis.configurations.summary import summarise
from analysis.keys import KEY
from analysis.points.published import SHIPPED, read_published
from analysis.report.curves import shown
from analysis.report.material import CURVE_COLUMNS, SHARE_COLUMNS, TRIAL_COLUMNS, Material
from analysis.report.recommendations import chosen
from tests.analysis.points.rows import sweep

DOCUMENT = {
    "name": "digits",
    "task": {"name": "digits"},
    "architecture": [{"name": "mlp", "hidden": [64]}, {"name": "mlp", "hidden": [300]}],
    "method": [
        {"name": "epr", "lam": {"loguniform": [0.3, 10.0]}, "density": "geometric"},
        {"name": "ptq", "bits": {"choice": [2, 3, 4, 8]}},
        {"name": "uncompressed"},
    ],
    "steps": 2000,
    "batch_size": 64,
    "seed": 0,
    "seeds": 3,
    "search": {"name": "grid", "num_values": 6},
}
ENVIRONMENT = {"device": "a processor", "num_threads": "1", "gpu": "0", "python": "3.11.7", "version.torch": "2.13.0"}
SHARES = [
    ("header", "", 41.0),
    ("table", "table 1", 4.0),
    ("tensor", "1.weight", 600.0),
    ("tensor", "1.bias", 20.0),
    ("tensor", "3.weight", 700.0),
    ("rounding", "", 0.5),
]


def measured() -> pd.DataFrame:
    """The points of ``sweep``, with files of their own and settings as MLflow has them."""
    points = sweep()
    settings = [dict(word.split("=") for word in label.split()) for label in points["label"]]
    params = [
        {"steps": "2000", "batch_size": "64", **{f"method.{name}": text for name, text in one.items()}}
        for one in settings
    ]
    return points.assign(
        params=list(map(json.dumps, params)),
        path=[f"trials/{trial_id}/point.rfz" for trial_id in points["trial_id"]],
    )


def material(points: pd.DataFrame | None = None, **changes: Any) -> Material:
    """The material of ``points``, by default ``measured``; ``changes`` replace its fields."""
    points = measured() if points is None else points
    configurations = summarise(points)
    drawn = points.merge(shown(configurations)[KEY], on=KEY)["trial_id"].unique()
    given: dict[str, Any] = {
        "document": DOCUMENT,
        "sweep_file": "name: digits\n",
        "points": points,
        "configurations": configurations,
        "published": read_published(SHIPPED),
        "trials": pd.DataFrame([trial(row) for row in points.to_dict("records")], columns=list(TRIAL_COLUMNS)),
        "curves": pd.DataFrame(
            [report(trial_id, step) for trial_id in drawn for step in range(100, 1100, 100)],
            columns=list(CURVE_COLUMNS),
        ),
        "shares": {
            row["file_path"]: pd.DataFrame(SHARES, columns=list(SHARE_COLUMNS))
            for row in chosen(configurations).values()
        },
        "methods": {"epr": "Entropy-penalized reparameterization"},
        "commit": "c0ffee",
    }
    return Material(**given | changes)


def trial(row: dict[Any, Any], **changes: Any) -> dict[str, Any]:
    """The row of a finished trial with the point ``row``."""
    kept = {name: row[name] for name in ("trial_id", "seed", "architecture", "method", "train_s")}
    ended = {"outcome": "finished", "reason": "", "environment": ENVIRONMENT, "ended_at_s": 1.7e9}
    return {**kept, **ended, **changes}


def report(trial_id: str, step: int) -> dict[str, Any]:
    """A report of a training that converges."""
    return {
        "trial_id": trial_id,
        "step": step,
        "quality_val": 1 - 10 / step,
        "train_loss": 100 / step,
        "rate_bits": 8000 + 1e6 / step,
        "rate_comparable": True,
    }
