"""The points of a small sweep, with their parameters as MLflow has them."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from tests.analysis.points.rows import frame

ARCHITECTURES = {"mlp(hidden=[8])": 700, "cnn(channels=[4])": 900}


def points(
    num_seeds: int = 2, architectures: tuple[str, ...] = tuple(ARCHITECTURES), num_lams: int = 3
) -> pd.DataFrame:
    """Points of ``epr`` over lam, of ``ptq`` over bits, and of uncompressed networks; smaller files are worse.

    The second architecture is dominated.
    """
    rows: list[dict[str, Any]] = []
    for worse, architecture in enumerate(architectures):
        settings = [("epr", {"lam": str(0.1 * (1 + index)), "density": "learned"}) for index in range(num_lams)]
        settings += [("ptq", {"bits": "3"}), ("ptq", {"bits": "4"}), ("uncompressed", {})]
        for index, (method, own) in enumerate(settings):
            params = {"steps": "100", "batch_size": "64", "learning_rate": "0.1"}
            params |= {f"method.{name}": text for name, text in own.items()}
            for seed in range(num_seeds):
                rows.append(
                    {
                        "architecture": architecture,
                        "method": method,
                        "num_parameters": ARCHITECTURES[architecture],
                        "config_hash": f"{architecture}-{index}",
                        "label": " ".join(f"{name}={text}" for name, text in own.items()),
                        "params": json.dumps(params),
                        "seed": seed,
                        "size_bytes": 100 + 10 * index,
                        "quality": 0.5 + 0.3 * index / len(settings) - 0.01 * worse,
                        "quality_val": 0.5 + 0.3 * index / len(settings) - 0.01 * worse,
                    }
                )
    return frame(*rows)
