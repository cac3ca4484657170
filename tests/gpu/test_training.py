"""Trainings on a GPU: where their tensors are, whether equal ones give equal bytes, and low precisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.trials import VARIANTS, configuration, run
from trainers.compressed import load_compressed
from trainers.config import TrialConfig
from trainers.evaluate import evaluate
from trainers.instantiate import make_task
from trainers.preparation import prepare
from trainers.train import train

pytestmark = pytest.mark.gpu

GPU = torch.device("cuda")
DIGITS: dict[str, Any] = {
    "task": "digits",
    "architecture": {"name": "cnn", "channels": [8, 16]},
    "method": {"name": "epr", "lam": 0.5},
    "steps": 600,
    "batch_size": 64,
}


def test_a_training_is_on_the_gpu_with_its_data() -> None:
    trial = prepare(TrialConfig.from_dict(DIGITS), GPU)
    assert all(tensor.is_cuda for tensor in trial.model.state_dict().values())
    assert trial.task.train.inputs.is_cuda


def test_data_that_has_no_place_on_the_gpu_is_moved_there_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(configuration("epr", "cnn"), tmp_path / "a", device=GPU)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1, 1 << 40))
    assert not prepare(configuration("epr", "cnn"), GPU).task.train.inputs.is_cuda
    assert run(configuration("epr", "cnn"), tmp_path / "b", device=GPU) == expected


def test_a_training_on_the_cpu_takes_no_memory_of_the_gpu(tmp_path: Path) -> None:
    torch.cuda.init()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run(configuration("epr", "cnn"), tmp_path)
    assert torch.cuda.max_memory_allocated() == before


@pytest.mark.parametrize("architecture", ["cnn", "normed"])
@pytest.mark.parametrize("method", VARIANTS)
def test_equal_trainings_give_equal_bytes_and_reports(method: str, architecture: str, tmp_path: Path) -> None:
    """An operation that has no deterministic kernel warns, and so fails the test."""
    first, again = (run(configuration(method, architecture), tmp_path / name, device=GPU) for name in ("a", "b"))
    assert first == again


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_epr_learns_in_each_precision_and_its_file_is_the_same_network_on_a_cpu(precision: str, tmp_path: Path) -> None:
    config = TrialConfig.from_dict({**DIGITS, "precision": precision})
    (point,) = train(config, lambda progress: None, tmp_path, device=GPU)
    assert point.quality_val > 0.8
    task = make_task(config.task)
    assert evaluate(load_compressed(Path(point.path)), task.test, task) == pytest.approx(point.quality, abs=0.01)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_training_that_is_resumed_gives_the_bytes_of_one_that_is_not(precision: str, tmp_path: Path) -> None:
    config = configuration("epr", "normed", precision=precision, ema=0.9, clip=1.0)
    expected, _ = run(config, tmp_path / "whole", device=GPU)

    def interrupt(train_s: float) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(config, tmp_path / "cut", device=GPU, checkpoint_interval_s=0, saved=interrupt)
    assert run(config, tmp_path / "cut", device=GPU)[0] == expected
