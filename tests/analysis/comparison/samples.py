"""Sides for tests of comparisons: their fronts have known differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.comparison.compare import Comparison, compare
from tests.analysis.points.rows import frame


def side(
    name: str,
    *,
    factor: float = 1.0,
    spread: Sequence[float] = (1.0, 1.0, 1.0),
    low: float = 0.80,
    high: float = 0.96,
    num_points: int = 6,
    **others: Any,
) -> pd.DataFrame:
    """Points on a line: ``10 ** (2 + 5 * quality)`` bytes, times ``factor``, times the ``spread`` of each seed.

    Sizes are not rounded, so that fronts have closed forms.
    """
    rows = [
        {
            "sweep_id": f"{name}-0123abcd",
            "config_hash": f"{name}{index}",
            "seed": seed,
            "quality": quality,
            "quality_val": quality + 0.01,
            **others,
        }
        for index, quality in enumerate(np.linspace(low, high, num_points))
        for seed in range(len(spread))
    ]
    points = frame(*rows)
    return points.assign(size_bytes=factor * 10 ** (2 + 5 * points["quality"]) * np.tile(spread, num_points))


def compared(**named: pd.DataFrame) -> Comparison:
    """A comparison of sides with few resamples, which are enough for most tests."""
    return compare(named, num_resamples=20)
