"""A training that is steered to a size: its file, its checkpoints, its last cut, and sizes out of reach."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trials import run
from trainers.config import TrialConfig
from trainers.loop.progress import Progress
from trainers.methods.base import Moment
from trainers.methods.parts.size_aim import SizeAim, cut
from trainers.train import train


def digits(lam: Any, **changes: Any) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "task": "digits",
            "architecture": {"name": "mlp", "hidden": [32]},
            "method": {"name": "epr", "lam": lam},
            "steps": 300,
            **changes,
        }
    )


@pytest.mark.parametrize("max_bytes", [400, 900])
def test_a_file_has_the_size_that_is_aimed_at_and_never_more(max_bytes: int, tmp_path: Path) -> None:
    ((_, content),) = run(digits({"size": max_bytes}), tmp_path)[0].items()
    assert 0.95 * max_bytes <= len(content) <= max_bytes


def test_a_density_that_is_learned_can_be_steered_as_well(tmp_path: Path) -> None:
    config = digits({"size": "600 B"}, method={"name": "epr", "lam": {"size": "600 B"}, "density": "learned"})
    ((_, content),) = run(config, tmp_path)[0].items()
    assert len(content) <= 600


def test_a_training_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    config = digits({"bits_per_parameter": 1.5}, steps=120)
    whole = run(config, tmp_path / "whole")
    pending = [24, 60, 72]

    def report(progress: Progress) -> None:
        if pending and progress.step >= pending[0]:
            pending.pop(0)
            raise InterruptedError

    for _ in range(3):
        with pytest.raises(InterruptedError):
            train(config, report, tmp_path / "parts", checkpoint_interval_s=0)
    assert run(config, tmp_path / "parts", checkpoint_interval_s=0)[0] == whole[0]


def test_a_size_that_no_file_has_is_refused_before_the_training(tmp_path: Path) -> None:
    said = r"lam: no file of this network has 20 bytes: the smallest has \d+, with all weights zero"
    with pytest.raises(ValueError, match=said):
        run(digits({"size": 20}), tmp_path)


def test_without_steps_nothing_can_be_steered(tmp_path: Path) -> None:
    said = "steps is 0, and method 'epr' steers lam to a size while it trains: wanted steps, or a number"
    with pytest.raises(ValueError, match=re.escape(said)):
        run(digits({"size": 900}, steps=0), tmp_path)


def test_lambda_rises_where_files_are_too_large_and_falls_where_they_are_small() -> None:
    for size_bytes, sign in ((1500, 1), (500, -1)):
        aim = SizeAim(1000, 8000)
        aim.begin(torch.tensor(8.0 * 2000), 2000)
        before = float(aim.lam)
        aim.steer(torch.tensor(8.0 * size_bytes), Moment(step=50, phase_step=50, num_phase_steps=100), 10)
        assert sign * (float(aim.lam) - before) > 0
        steered = float(aim.lam)
        aim.steer(torch.tensor(8.0 * size_bytes), Moment(step=95, phase_step=95, num_phase_steps=100), 10)
        assert float(aim.lam) == steered, "near the end it stays"


@pytest.mark.parametrize("slope", [1e-3, 1.0, 300.0])
def test_the_cut_takes_no_more_than_it_must(slope: float) -> None:
    def size_at(least: float) -> int:
        return 0 if math.isinf(least) else max(0, int(1000 - slope * (least - 0.5)))

    for max_bytes in (1000, 990, 700):
        assert size_at(cut(size_at, max_bytes)) <= max_bytes
        if slope > 0.1:
            assert size_at(cut(size_at, max_bytes)) >= 0.98 * max_bytes
    assert cut(size_at, 1000) == 0.5


def test_the_cut_says_how_small_a_file_can_be() -> None:
    with pytest.raises(ValueError, match="no file of this network has 100 bytes: the smallest has 240"):
        cut(lambda least: 240, 100)
