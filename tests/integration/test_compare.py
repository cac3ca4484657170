"""The methods of a finished sweep are compared, and watching it ends."""

from __future__ import annotations

import json
from pathlib import Path

from tests.console import Finished, call


def test_the_methods_of_a_sweep_are_compared(finished: Finished, tmp_path: Path) -> None:
    common = ["compare", "tiny", "--by", "method", "--anchor", "ptq"]
    said = call(finished.folder, *common, "--out", str(tmp_path))
    assert said.returncode == 0, said.stderr
    assert "epr and ptq cannot be compared by BD-rate: their fronts have " in said.stdout
    assert "figures: " in said.stdout.splitlines()[-1]
    assert {path.name for path in tmp_path.iterdir()} >= {"compare.html", "compare.png", "compare.svg"}
    data = json.loads(call(finished.folder, *common, "--json").stdout)
    assert [side["name"] for side in data["fronts"]] == ["ptq", "epr"]  # without the uncompressed
    assert [side["num_seeds"] for side in data["fronts"]] == [2, 2]


def test_watching_ends_with_the_sweep(finished: Finished, tmp_path: Path) -> None:
    said = call(finished.folder, "frontier", "tiny", "--watch", "--out", str(tmp_path))
    assert said.returncode == 0, said.stderr
    first, *_ = said.stdout.splitlines()
    assert "16 finished, 4 failed; " in first
    assert first.endswith("; ended")
    assert (tmp_path / "frontier.svg").exists()
