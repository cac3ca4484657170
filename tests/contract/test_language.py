"""Every method trains a small language model, and a small classifier of texts, and its file is measured."""

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
from trainers.preparation import prepare
from trainers.tasks.base import InMemory, Task, classification
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


def orders() -> Task:
    """Texts of three to eight of five tokens, whose class is whether 0 comes before 1."""
    generator = torch.Generator().manual_seed(0)

    def split(num_examples: int) -> InMemory:
        tokens = torch.rand(num_examples, 8, generator=generator).argsort(dim=1).clamp_max(4)
        is_first = (tokens == 0).int().argmax(1) < (tokens == 1).int().argmax(1)
        lengths = torch.randint(3, 9, (num_examples, 1), generator=generator)
        return InMemory(inputs=tokens.masked_fill(torch.arange(8) >= lengths, 5), targets=is_first.long())

    task = classification(train=split(96), validation=split(48), test=split(48), num_classes=2)
    return Task(**{**vars(task), "offers": {**task.offers, "num_tokens": 5, "context": 8}})


def classifier_of(name: str) -> TrialConfig:
    return configuration(
        name,
        task=f"{__name__}:orders",
        architecture={"name": "bert", "layers": 1, "width": 8, "heads": 2},
        batch_size=8,
    )


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in KERNELS])
def test_a_classifier_of_texts_is_trained_stored_and_measured(name: str, tmp_path: Path) -> None:
    config = classifier_of(name)
    points = train(config, lambda progress: None, tmp_path / "trial")
    task = make_task(config.task)
    assert points
    for point in points:
        assert evaluate(load_compressed(point.path), task.test, task) == pytest.approx(point.quality, abs=1e-5)


def test_units_and_heads_of_a_classifier_are_found() -> None:
    groups = prepare(classifier_of("epr"), torch.device("cpu")).context.groups
    tensors = {(group.num_units, group.removable): {axis.tensor for axis in group.axes} for group in groups}
    attention, mlp = "blocks.0.attention", "blocks.0.mlp"
    assert tensors[32, True] == {f"{mlp}.up.weight", f"{mlp}.down.weight"}
    assert tensors[2, True] == {f"{attention}.query_key_value.weight", f"{attention}.out.weight"}
