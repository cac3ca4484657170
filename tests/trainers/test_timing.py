"""The time of a training is estimated from a few steps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from trainers.config import Spec, TrialConfig
from trainers.instantiate import make_task
from trainers.timing import Timing, measure

CONFIG = TrialConfig(
    task=Spec(name="digits"),
    architecture=Spec(name="mlp", arguments={"hidden": [8]}),
    method=Spec(name="epr", arguments={"lam": 0.5}),
    steps=997,
)


def test_what_is_measured_is_positive_and_leaves_nothing_behind(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        timing = measure(CONFIG, make_task(CONFIG.task), tmp_path)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert 0 < timing.step_s < 0.5
    assert 0 <= timing.example_s < 0.01
    assert 0 < timing.fixed_s < 5
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_slow_step_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes only in steps: half a second each."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    task = make_task(CONFIG.task)

    def slow_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        now[0] += 0.5
        return torch.nn.functional.cross_entropy(outputs, targets)

    config = dataclasses.replace(CONFIG, method=Spec(name="uncompressed"))  # epr looks for its first step with the loss
    timing = measure(config, dataclasses.replace(task, loss=slow_loss), tmp_path)
    assert timing == Timing(step_s=0.5, example_s=0.0, fixed_s=0.0)


def test_a_trial_is_its_steps_its_reports_and_the_rest() -> None:
    task = make_task(CONFIG.task)
    timing = Timing(step_s=2.0, example_s=0.25, fixed_s=7.0)
    num_reports = -(-997 // (2 * (len(task.train) // 64)))  # 997 steps are over 50 epochs: every second one reports
    examples = (num_reports + 1) * len(task.validation) + len(task.test)
    assert timing.train_s(CONFIG) == 1994.0
    assert timing.trial_s(CONFIG, task) == 1994.0 + 0.25 * examples + 7.0
