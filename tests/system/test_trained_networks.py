"""Networks that others trained load by their names and reach the accuracy that their authors state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from trainers.architectures import ARCHITECTURES
from trainers.config import Spec
from trainers.evaluate import evaluate
from trainers.instantiate import make_task
from trainers.tasks.base import Task

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]  # a minute of forward passes on two free cores


@pytest.fixture(scope="module")
def cifar10() -> Task:
    return make_task(Spec(name="cifar10"))


@pytest.mark.parametrize(
    ("depth", "file", "accuracy"), [(20, "resnet20-12fca82f.th", 0.9173), (32, "resnet32-d509ac18.th", 0.9263)]
)
def test_a_trained_residual_network_is_ours(depth: int, file: str, accuracy: float, cifar10: Task) -> None:
    path = Path(os.environ["RATEFRONT_DATA"]) / "models" / file
    saved = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    model = ARCHITECTURES["resnet_cifar"](depth=depth)
    model.load_state_dict({name.removeprefix("module."): tensor for name, tensor in saved.items()})
    assert evaluate(model, cifar10.test, cifar10) == pytest.approx(accuracy, abs=2e-4)
