"""Every method trains a small language model, and its file is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.contract.test_sections import with_dead_units
from tests.trainers.trials import VARIANTS, attach, configuration
from trainers.architectures.gpt import gpt
from trainers.arrange import arrange
from trainers.compressed import load_compressed
from trainers.config import TrialConfig
from trainers.data.examples import few
from trainers.evaluate import evaluate
from trainers.instantiate import make_task
from trainers.train import train

KERNELS = {name for name, settings in VARIANTS.items() if settings.get("decoder") == "dft"}


METHODS = [*(name for name in VARIANTS if name not in KERNELS), "lcs-blocks"]
BLOCKS = {"name": "lcs", "compression": "blocks", "subspace": "line"}


def config_of(name: str, folder: Path) -> TrialConfig:
    (folder / "text.txt").write_text("the cat sat on the mat, and the dog sat on the log. " * 8)
    return configuration(
        "lcs" if name == "lcs-blocks" else name,
        **({"method": BLOCKS} if name == "lcs-blocks" else {}),
        task={"name": "text", "file": str(folder / "text.txt"), "context": 8},
        architecture={"name": "gpt", "layers": 1, "width": 8, "heads": 2},
        batch_size=8,
    )


@pytest.mark.parametrize("name", METHODS)
def test_a_language_model_is_trained_stored_and_measured(name: str, tmp_path: Path) -> None:
    config = config_of(name, tmp_path)
    points = train(config, lambda progress: None, tmp_path / "trial")
    task = make_task(config.task)
    assert points
    for point in points:
        assert evaluate(load_compressed(point.path), task.test, task) == pytest.approx(point.quality, abs=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_dead_heads_units_and_scales_may_be_emptied_before_they_are_stored(name: str, tmp_path: Path) -> None:
    trial = attach(config_of(name, tmp_path), noise=0.5)
    assert {(group.movable, group.removable) for group in trial.context.groups} == {
        (True, True),
        (False, True),
        (False, False),
    }
    for _, sections in trial.method.points(trial.model, trial.context):
        given = with_dead_units(sections, trial.context.groups)
        outputs: list[torch.Tensor] = []
        for stored in (given, arrange(given, trial.context.groups)):
            network = gpt(**trial.header.arguments)
            network.load_state_dict(trial.method.decode(stored, trial.context.plain))
            with torch.no_grad():
                outputs.append(network.double().eval()(few(trial.task.test, 4).inputs))
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-9, atol=1e-9)
