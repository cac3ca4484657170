"""A real data set: LeNet300-100 on MNIST for a few hundred steps, through the console script."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.console import call

pytestmark = pytest.mark.system


def test_epr_beats_quantisation_on_mnist_at_a_fraction_of_its_bytes(tmp_path: Path) -> None:
    swept = call(
        tmp_path,
        "sweep",
        *("--task", "mnist", "--architecture", "lenet300_100", "--method", "epr", "--name", "mnist"),
        *("--set", "method=[{name: epr, lam: 1.0}, {name: ptq, bits: 4}, uncompressed]"),
        *("--set", "steps=860", "--set", "batch_size=256"),
        timeout_s=600,
    )
    assert swept.returncode == 0, swept.stdout + swept.stderr
    (table,) = tmp_path.glob("sweeps/*/frontier/frontier.csv")
    rows = {row["method"]: row for row in csv.DictReader(table.read_text().splitlines())}
    size_bytes = {method: int(row["file_size_bytes"]) for method, row in rows.items()}
    error = {method: 1 - float(row["file_quality"]) for method, row in rows.items()}
    assert size_bytes["uncompressed"] > 1_066_440  # the parameters alone
    assert size_bytes["epr"] < size_bytes["ptq"] / 4
    assert error["epr"] < error["uncompressed"] + 0.015
    assert error["uncompressed"] < 0.03
