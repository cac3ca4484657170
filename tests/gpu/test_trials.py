"""Trials on a GPU, as workers run them: two on half of it each, and one that it has too little memory for."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.planning.retries import with_more_memory
from orchestrator.storage.journal import OUT_OF_MEMORY, Ended, Outcome
from orchestrator.sweep.resources import TrialResources
from orchestrator.trial import Request, Setting, execute
from tests.processes import wait_until
from trainers.loop.progress import Progress

pytestmark = pytest.mark.gpu

CONFIG: dict[str, Any] = {
    "task": {"name": "digits"},
    "architecture": {"name": "mlp", "hidden": [32]},
    "method": {"name": "epr", "lam": 0.5},
    "steps": 100,
    "batch_size": 64,
    "seed": 0,
}
LARGE: dict[str, Any] = {**CONFIG, "architecture": {"name": "mlp", "hidden": [8192, 8192]}}
"""A network of 270 MB, whose training takes four times that at least."""
HALF = TrialResources(gpu=0.5)
NUM_BYTES = 1 << 28


def ended(folder: Path, trial_id: str, config: dict[str, Any], num_at_once: int = 1) -> Ended:
    """Run a trial, which waits at its first report until ``num_at_once`` train."""

    def report(progress: Progress) -> None:
        (folder / f"{trial_id}.trains").touch()
        assert wait_until(lambda: len(list(folder.glob("*.trains"))) >= num_at_once, at_most_s=120)

    setting = Setting(sweep_id="small-1", location=str(folder / "sweep"), import_path=str(folder))
    request = Request(setting=setting, trial_id=trial_id, config=config, resources=HALF)
    return execute(request, report=report, track=lambda trial_id: None)


def ended_on_half(folder: Path, trial_id: str, num_at_once: int) -> Ended:
    """The same in a process that gets half of the memory, as an honest one would."""
    torch.cuda.set_per_process_memory_fraction(0.5)
    return ended(folder, trial_id, CONFIG, num_at_once)


def digests(one: Ended) -> list[str]:
    assert one.outcome == Outcome.FINISHED, one.reason
    return [point.sha256 for point in one.points]


def test_two_trials_on_half_a_gpu_each_give_what_one_alone_gives(tmp_path: Path) -> None:
    alone = ended(tmp_path / "alone", "0000-epr-s0", CONFIG)
    together = tmp_path / "together"
    together.mkdir()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(ended_on_half, together, f"{number:04}-epr-s0", 2) for number in range(2)]
        for one in running:
            assert digests(one.result()) == digests(alone)


@pytest.fixture
def _little_memory() -> Iterator[None]:
    """Let this process have some 270 MB of the GPU."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(NUM_BYTES / torch.cuda.get_device_properties(0).total_memory)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.usefixtures("_little_memory")
def test_a_trial_that_does_not_fit_fails_in_one_line_is_tried_on_more_and_others_go_on(tmp_path: Path) -> None:
    failed = ended(tmp_path, "0000-epr-s0", LARGE)
    assert failed.outcome == Outcome.FAILED
    assert failed.reason.startswith(OUT_OF_MEMORY)
    assert "\n" not in failed.reason
    assert with_more_memory(failed, HALF, HALF) == TrialResources(gpu=1.0)
    digests(ended(tmp_path, "0001-epr-s0", CONFIG))
