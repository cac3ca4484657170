"""The documented examples of tasks run as they stand, and their networks learn."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.console import call
from trainers.record import read_json

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.system
@pytest.mark.parametrize(
    ("example", "quality", "least", "most"),
    [
        ("own_dataset", "accuracy", 0.6, 1.0),
        ("regression", "RMSE", 0.0, 1.5),
        ("two_inputs", "accuracy", 0.6, 1.0),
    ],
)
def test_the_example_runs(example: str, quality: str, least: float, most: float, workplace: Path) -> None:
    shutil.copytree(EXAMPLES / example, workplace, dirs_exist_ok=True)
    ran = call(workplace, "part", "sweep.yaml", "--number", "0", "--of", "1")
    records = [read_json(path) for path in sorted(workplace.glob("sweeps/*/trials/*/ended.json"))]
    assert len(records) >= 3, ran.stderr + ran.stdout
    assert all(record["outcome"] == "finished" for record in records), records
    best = records[-1]["points"][0]  # of the uncompressed network
    assert best["quality_name"] == quality
    assert least <= best["quality"] <= most
