"""Every shipped recipe trains and writes files: some steps of its first configuration, on random pictures or a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.planning.study import plan
from orchestrator.sweep.file import load_sweep
from orchestrator.sweep.recipes import recipe_paths
from trainers.config import TrialConfig
from trainers.tasks.base import Split, Task, classification
from trainers.train import train

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SHAPES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
LAYERS = 4
"""The most layers that a network of language is tried with."""


def pictures(*, shape: tuple[int, ...]) -> Task:
    generator = torch.Generator().manual_seed(0)

    def split() -> Split:
        return Split(inputs=torch.randn(8, *shape, generator=generator), targets=torch.arange(8))

    return classification(train=split(), validation=split(), test=split(), num_classes=10)


@pytest.mark.parametrize("path", recipe_paths().values(), ids=recipe_paths())
def test_a_recipe_trains_and_writes_files(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text("to be, or not to be, that is the question. " * 9)
    monkeypatch.setenv("PARAMETER_GOLF_TEXT", str(tmp_path / "text.txt"))
    config = plan(load_sweep(path))[0].config
    task: dict[str, Any] = {"name": f"{__name__}:pictures", "shape": list(SHAPES.get(config.task.name, ()))}
    if config.task.name == "text":
        vocabulary = "bpe(264)" if "bpe" in config.task.arguments["vocabulary"] else "characters"
        task = {"name": "text", "file": str(tmp_path / "text.txt"), "context": 16, "vocabulary": vocabulary}
    steps = 2
    if config.task.name == "image":  # one of its photographs
        task, steps = {**config.task.to_dict(), "shrink": 8}, 10
    small = TrialConfig.from_dict({**config.to_dict(), "task": task, "each": {}, "steps": steps, "batch_size": 4})
    if config.architecture.arguments.get("layers", 0) > LAYERS:  # a network of a GPU's size
        architecture = {**small.architecture.to_dict(), "layers": 1, "width": 64, "heads": 2}
        small = TrialConfig.from_dict({**small.to_dict(), "architecture": architecture})
    points = train(small, lambda progress: None, tmp_path)
    assert points
    halved = config.method.arguments.get("dtype") == "float16"
    assert all(0 < point.size_bytes < point.uncompressed_bytes * (0.6 if halved else 0.25) for point in points)
