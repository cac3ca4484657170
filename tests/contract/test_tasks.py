"""What every registered task promises. Tasks whose data must be downloaded are tested where it is present."""

from __future__ import annotations

import json
import math
import os

import pytest
import torch

from tests.golden.regenerate import DATA_SETS, SPLIT_FINGERPRINTS, split_fingerprints
from trainers.data.examples import few
from trainers.downloads import DataUnavailableError
from trainers.tasks import TASKS
from trainers.tasks.base import InMemory, Task

SHIPPED = {"digits"}
"""Tasks whose data comes with the installation; every other one is a system test."""

pytestmark = pytest.mark.parametrize(
    "name", [name if name in SHIPPED else pytest.param(name, marks=pytest.mark.system) for name in DATA_SETS]
)


def loaded(name: str) -> Task:
    """Load the task; without its data, skip the test, but fail it in CI."""
    try:
        return TASKS[name]()
    except DataUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def splits_of(task: Task) -> dict[str, InMemory]:
    assert isinstance(task.train, InMemory)
    assert isinstance(task.validation, InMemory)
    assert isinstance(task.test, InMemory)
    return {"train": task.train, "validation": task.validation, "test": task.test}


def test_splits_are_fixed_and_of_stated_size(name: str) -> None:
    golden = json.loads(SPLIT_FINGERPRINTS.read_text())
    assert name in golden, "a new task needs its golden entry: python -m tests.golden.regenerate"
    assert split_fingerprints(loaded(name)) == golden[name]


def test_no_example_is_in_two_splits(name: str) -> None:
    """Examples are compared by content; a few images that a published data set itself holds twice are allowed."""
    task = loaded(name)
    seen: dict[str, set[bytes]] = {
        key: {example.numpy().tobytes() for example in split.inputs} for key, split in splits_of(task).items()
    }
    total = sum(len(split) for split in splits_of(task).values())
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert len(seen[one] & seen[other]) <= 2e-4 * total


def test_examples_have_the_stated_shapes_and_dtypes(name: str) -> None:
    task = loaded(name)
    for split in splits_of(task).values():
        assert split.inputs.shape == (len(split), *task.input_shape)
        assert split.inputs.dtype == torch.float32
        assert split.inputs.isfinite().all()
        assert len(split.targets) == len(split.inputs)
    train = splits_of(task)["train"]
    assert train.inputs.abs().max() < 10
    assert train.inputs.std() > 0.1


def test_loss_is_a_differentiable_scalar_and_scores_are_summed(name: str) -> None:
    task = loaded(name)
    outputs = torch.randn(5, task.offers["num_outputs"], requires_grad=True)
    loss = task.loss(lambda inputs: outputs, few(task.train, 5))
    assert loss.shape == ()
    loss.backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
    (total,), num = task.score(lambda inputs: outputs, few(task.train, 5))
    assert total.shape == ()
    assert num == 5
    quality, others = task.quality([float(total)], num)
    assert math.isfinite(quality)
    assert others == {}
    assert task.quality_name


def test_every_class_is_in_every_split(name: str) -> None:
    task = loaded(name)
    splits = splits_of(task)
    if splits["train"].targets.dtype == torch.int64:
        for split in splits.values():
            assert split.targets.unique().tolist() == list(range(task.offers["num_outputs"]))
