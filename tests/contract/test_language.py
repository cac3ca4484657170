"""Every method trains a small language model, and its file is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers.trials import VARIANTS, configuration
from trainers.compressed import load_compressed
from trainers.config import TrialConfig
from trainers.evaluate import evaluate
from trainers.instantiate import make_task
from trainers.train import train

KERNELS = {name for name, settings in VARIANTS.items() if settings.get("decoder") == "dft"}


def config_of(name: str, folder: Path) -> TrialConfig:
    (folder / "text.txt").write_text("the cat sat on the mat, and the dog sat on the log. " * 8)
    return configuration(
        name,
        task={"name": "text", "file": str(folder / "text.txt"), "context": 8},
        architecture={"name": "gpt", "layers": 1, "width": 8, "heads": 2},
        batch_size=8,
    )


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in KERNELS])
def test_a_language_model_is_trained_stored_and_measured(name: str, tmp_path: Path) -> None:
    config = config_of(name, tmp_path)
    points = train(config, lambda progress: None, tmp_path / "trial")
    task = make_task(config.task)
    assert points
    for point in points:
        assert evaluate(load_compressed(point.path), task.test, task) == pytest.approx(point.quality, abs=1e-5)
