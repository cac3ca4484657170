"""Networks that others trained load by their names and reach the accuracy that their authors state."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainers.architectures import ARCHITECTURES
from trainers.config import Spec, TrialConfig
from trainers.evaluate import evaluate
from trainers.instantiate import make_task
from trainers.pretrained import initial_values
from trainers.tasks.base import Task
from trainers.train import train

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]  # a minute of forward passes on two free cores


@pytest.fixture(scope="module")
def cifar10() -> Task:
    return make_task(Spec(name="cifar10"))


@pytest.mark.parametrize(
    ("depth", "name", "accuracy"), [(20, "resnet20_cifar10", 0.9173), (32, "resnet32_cifar10", 0.9263)]
)
def test_a_trained_residual_network_is_ours(depth: int, name: str, accuracy: float, cifar10: Task) -> None:
    model = ARCHITECTURES["resnet_cifar"](depth=depth)
    model.load_state_dict(initial_values(name, model), strict=False)
    assert evaluate(model, cifar10.test, cifar10) == pytest.approx(accuracy, abs=2e-4)


def test_a_trained_network_is_quantised_as_it_is(tmp_path: Path) -> None:
    """The one step is so small that only the running statistics of the norms move."""
    config = TrialConfig.from_dict(
        {
            "task": "cifar10",
            "architecture": "resnet_cifar",
            "method": {"name": "ptq", "bits": 8, "learning_rate": 1e-8},
            "steps": 1,
            "init_from": "resnet20_cifar10",
        }
    )
    (point,) = train(config, lambda progress: None, tmp_path)
    assert point.quality == pytest.approx(0.9173, abs=1e-3)
    assert point.size_bytes < 0.25 * point.uncompressed_bytes
