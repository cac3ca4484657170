"""The switches that a training sets are set back afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.trainers.trials import configuration
from trainers.determinism import deterministic
from trainers.loop.progress import Progress
from trainers.train import train


@pytest.mark.parametrize("fails", [False, True])
def test_the_users_floating_point_mode_is_left_alone(fails: bool, tmp_path: Path) -> None:
    def report(progress: Progress) -> None:
        assert float(torch.tensor(1e-38) / 100) == 0, "denormals are flushed while training"
        if fails:
            raise KeyboardInterrupt

    if fails:
        with pytest.raises(KeyboardInterrupt):
            train(configuration("ptq"), report, tmp_path)
    else:
        train(configuration("ptq"), report, tmp_path)
    assert float(torch.tensor(1e-38) / 100) != 0


def test_a_gpu_sums_in_one_order_while_training_and_as_its_user_set_it_afterwards() -> None:
    def modes() -> list[bool]:
        return [
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.deterministic,
            torch.backends.cudnn.benchmark,
        ]

    before = modes()
    with deterministic(torch.device("cpu")):
        assert modes() == before
    during: list[bool] = []

    def training() -> None:
        with deterministic(torch.device("cuda")):
            during.extend(modes())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training()
    assert during == [True, True, True, False]
    assert modes() == before
