"""Frames of operating points for tests."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.fidelity import COLUMNS
from analysis.points.mlflow import POINT_COLUMNS
from tests.points import point
from trainers.record import ODD_COLUMNS, to_row

DEFAULTS: dict[str, Any] = {
    **ODD_COLUMNS,
    **{name: value for name, value in to_row(point()).items() if name != "trial_id"},  # each row has its own
    "point_id": "0",
    "path": "a.rfz",
    "experiment_id": "1",
    "config": "lam=0.3 steps=2000",
    "label": "lam=0.3",
    "params": "{}",
    "num_failed": 0,
    "directory": "/sweeps/digits-0123abcd",
}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """One point for each of ``rows``, which say what differs from ``DEFAULTS``."""
    complete = [DEFAULTS | row for row in rows]
    for index, row in enumerate(complete):
        row.setdefault("trial_id", f"{row['config_hash']}-{row['seed']}")
        row.setdefault("run_id", f"run{index}")
    return pd.DataFrame(complete, columns=list(POINT_COLUMNS)).astype(dict.fromkeys(COLUMNS, "float64"))


def seeds(config_hash: str, sizes: list[int], validation: list[float], **others: Any) -> list[dict[str, Any]]:
    """The repeats of one configuration."""
    return [
        {"config_hash": config_hash, "seed": seed, "size_bytes": size, "quality_val": quality, **others}
        for seed, (size, quality) in enumerate(zip(sizes, validation, strict=True))
    ]


def sweep() -> pd.DataFrame:
    """Two architectures, two methods and the uncompressed networks, three seeds each, one collapsed configuration."""
    rows: list[dict[str, Any]] = []
    for architecture, num_parameters, best in (("mlp(hidden=[64])", 4810, 0.975), ("mlp(hidden=[300])", 24310, 0.985)):
        configurations = [
            ("epr", f"lam={10 / 2**i:.3g}", num_parameters // (8 - i), best - 0.08 / 2**i) for i in range(6)
        ]
        configurations += [("ptq", f"bits={bits}", num_parameters * bits // 8, best - 0.1 / bits) for bits in (3, 4, 8)]
        configurations += [("uncompressed", "", 4 * num_parameters, best)]
        if num_parameters > 10_000:
            configurations += [("ptq", "bits=2", num_parameters // 4, 0.12)]
        for method, config, size, quality in configurations:
            for seed in range(3):
                rows.append(
                    {
                        "architecture": architecture,
                        "method": method,
                        "config": config,
                        "label": config,
                        "config_hash": f"{architecture} {method} {config}",
                        "seed": seed,
                        "size_bytes": size + 7 * seed,
                        "num_parameters": num_parameters,
                        "uncompressed_bytes": 4 * num_parameters,
                        "quality": quality - 0.001 * seed,
                        "quality_val": quality + 0.001 * seed,
                    }
                )
    return frame(*rows)
