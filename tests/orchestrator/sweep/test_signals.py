"""Sweeps whose task is one signal have ranges and batches of their own, where they say nothing of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from orchestrator.commands.source import SweepSource
from orchestrator.errors import SweepError
from orchestrator.search.domains import RealRange
from orchestrator.sweep.definition import SIGNAL_BATCH_SIZE, Sweep


@pytest.fixture
def task(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "x.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path)
    return {"name": "image", "file": str(path)}


def sweep_of(task: Any, **more: Any) -> Sweep:
    return Sweep.from_dict({"task": task, "architecture": "siren", "method": "epr", **more})


def test_the_range_of_lam_is_for_each_sample(task: dict[str, Any]) -> None:
    assert sweep_of(task).method[0].arguments["lam"] == RealRange(1e-4, 4e-3, log=True)
    assert sweep_of("digits", architecture="mlp").method[0].arguments["lam"] == RealRange(0.05, 5.0, log=True)
    asked = sweep_of(task, method={"name": "epr", "lam": 0.1})
    assert asked.method[0].arguments["lam"] == 0.1


def test_a_step_sees_many_samples(task: dict[str, Any]) -> None:
    found = sweep_of(task)
    assert found.batch_size == SIGNAL_BATCH_SIZE
    assert found.to_dict()["batch_size"] == SIGNAL_BATCH_SIZE
    assert sweep_of(task, batch_size=64).batch_size == 64
    assert sweep_of("digits", architecture="mlp").batch_size == 64


def test_defaults_of_the_task_are_not_written_out(task: dict[str, Any]) -> None:
    assert set(sweep_of(task).task.arguments) == {"file"}
    assert set(sweep_of({**task, "shrink": 2}).task.arguments) == {"file", "shrink"}


def test_flags_alone_make_a_sweep_of_a_file(task: dict[str, Any]) -> None:
    found = SweepSource(
        task=f"{{name: image, file: {task['file']}}}", architecture="{name: siren, depth: 2}", method="epr"
    ).read()
    assert found.name == "image-siren-epr"
    assert found.architecture[0].arguments["depth"] == 2
    (lams,) = (spec.arguments["lam"] for spec in found.method if spec.name == "epr")
    assert [(path["path"]["from"], path["path"]["to"]) for path in lams.values] == [(1e-4, 4e-3)]
    with pytest.raises(SweepError, match="--task"):
        SweepSource(task="{name: [", architecture="siren", method="epr").read()


def test_a_task_that_is_wrong_is_told_as_such() -> None:
    with pytest.raises(SweepError, match="task"):
        sweep_of({"name": "imagee"})
    with pytest.raises(SweepError, match="task"):
        sweep_of(3)
