"""Every method is trained with every setting of its training, and resumed to the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trainers.trials import VARIANTS, configuration, run
from trainers.config import TrialConfig
from trainers.instantiate import check_settings
from trainers.loop.progress import Progress
from trainers.methods import METHODS
from trainers.train import train

OTHERS: dict[str, Any] = {
    "schedule": {"name": "linear", "warmup": 0.2, "final": 0.1},
    "precision": "float16",
    "clip": 1.0,
    "ema": 0.9,
    "accumulate": 3,
}
OWNERS = {"epr"}
"""The methods that own their optimiser."""


class KilledError(Exception):
    """Raised from a report to end a training as a kill would."""


def everything(name: str) -> TrialConfig:
    is_owner = VARIANTS[name]["name"] in OWNERS
    optimiser = {} if is_owner else {"optimiser": {"name": "adamw", "weight_decay": 0.1}}
    return configuration(name, "normed", **optimiser, **OTHERS)


@pytest.mark.parametrize("name", [*METHODS, "epr-path", "espn-rewind", "magnitude-one-shot"])
def test_a_training_with_every_setting_resumes_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    config = everything(name)
    whole, _ = run(config, tmp_path / "whole")

    def kill(progress: Progress) -> None:
        if progress.step == 3:
            raise KilledError

    with pytest.raises(KilledError):
        train(config, kill, tmp_path / "parts", checkpoint_interval_s=0)
    assert run(config, tmp_path / "parts")[0] == whole


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_owns_its_optimiser_says_why(name: str) -> None:
    config = configuration(name, optimiser="sgd")
    if name not in OWNERS:
        check_settings(config)
        return
    with pytest.raises(ValueError, match=rf"^optimiser is 'sgd', and method '{name}' owns its optimiser \(.+\): leave"):
        check_settings(config)
