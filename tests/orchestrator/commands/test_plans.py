"""The plan of a sweep on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from orchestrator.cli import program

SWEEP = """
name: large
task: digits
architecture: mlp
method: {name: epr, lam: {loguniform: [0.1, 10]}}
search: {name: grid, num_values: 1003}
"""


def test_of_a_large_sweep_a_thousand_configurations_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(SWEEP)
    shown = CliRunner().invoke(program, ["plan", str(path), "--no-measure"]).stdout
    assert len([line for line in shown.splitlines() if line.startswith(" digits ")]) == 1000
    assert " and 3 more: --json has all of them\n" in shown
    listed = CliRunner().invoke(program, ["plan", str(path), "--no-measure", "--json"]).stdout
    assert len(json.loads(listed)["trials"]) == 1003
