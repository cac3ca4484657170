"""Every task in docs/tasks.md is made, trained and stored."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.networks import clusters
from trainers.config import Spec, TrialConfig
from trainers.data.examples import few
from trainers.instantiate import make_task
from trainers.tasks.base import InMemory, Task
from trainers.train import train

PAGE = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
FUNCTIONS = re.findall(r"^def (\w+)\(\):", "\n".join(BLOCKS), flags=re.MULTILINE)


class Twins(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = (nn.Sequential(nn.Flatten(), nn.Linear(16, 3)) for _ in range(2))

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        total: Tensor = self.left(left) + self.right(right)
        return total


def network(*, input_shape: tuple[int, ...], **offered: Any) -> nn.Module:
    """One that fits each task of the page."""
    return nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(input_shape).numel(), offered["num_outputs"]))


ARCHITECTURES = {
    "pairs": lambda: Twins(),
    "masks": lambda: nn.Conv2d(1, 1, 3, padding=1),
}


@pytest.fixture(scope="module")
def page() -> Any:
    """The page's blocks as one module, whose splits are clusters of three classes, or of real targets."""
    module: Any = types.ModuleType("page_of_tasks")
    task = clusters()
    images, labels = task.train.take(torch.arange(len(task.train)))
    vars(module).update(torch=torch, images=images, labels=labels)
    pairs = InMemory(inputs={"left": images, "right": images.flip(0)}, targets=labels)
    vars(module)["validation_pairs"] = pairs
    for block in BLOCKS:
        exec(block, vars(module))
    for name in FUNCTIONS:
        made = getattr(module, name)
        if name in ("heights", "signals"):
            real = InMemory(inputs=images, targets=images.flatten(1)[:, :2] / 5)
            setattr(module, name, _with_splits(made, module, real))
        else:
            setattr(module, name, _with_splits(made, module, InMemory(inputs=images, targets=labels)))
    for name, architecture in ARCHITECTURES.items():
        setattr(module, f"net_of_{name}", architecture)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def _with_splits(made: Any, module: Any, split: InMemory) -> Any:
    def task() -> Task:
        vars(module).update(train=split, validation=split, test=split)
        found: Task = made()
        return found

    return task


def test_the_page_has_tasks() -> None:
    assert FUNCTIONS == ["shapes", "heights", "signals", "pairs", "robust", "confusable", "masks"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_task_is_trained_and_stored(name: str, page: Any, tmp_path: Path) -> None:
    mlp = {"name": "mlp", "hidden": [4]}
    config = TrialConfig.from_dict(
        {
            "task": f"page_of_tasks:{name}",
            "architecture": f"page_of_tasks:net_of_{name}" if name in ARCHITECTURES else mlp,
            "method": {"name": "ptq", "bits": 4, "learning_rate": 0.03},
            "steps": 12,
            "batch_size": 16,
        }
    )
    losses: list[float] = []
    (point,) = train(config, lambda progress: losses.append(progress.train_loss), tmp_path)
    assert losses[-1] < losses[0]
    assert point.quality_name == getattr(page, name)().quality_name


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_classes_may_be_whole_numbers_of_any_type(dtype: torch.dtype) -> None:
    task, network = clusters(), nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    batch = few(task.train, 9)
    narrow = batch._replace(targets=batch.targets.to(dtype))
    assert torch.equal(task.loss(network, narrow), task.loss(network, batch))
    assert task.score(network, narrow)[0] == task.score(network, batch)[0]


def broken() -> Task:
    raise KeyError("labels.csv")


def test_what_a_task_of_ones_own_raises_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^task 'tests\S+:broken' cannot be made: KeyError: 'labels.csv'$"):
        make_task(Spec(name=f"{__name__}:broken"))
