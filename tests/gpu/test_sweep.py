"""A sweep through Ray whose trials share a GPU: half of it each, and all of it for one that found too little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.storage.journal import OUT_OF_MEMORY, Outcome
from orchestrator.storage.locations import open_journal

pytestmark = pytest.mark.gpu

SWEEP = """
name: shared
task: digits
architecture: [{name: mlp, hidden: [8]}, {name: "greedy:network"}]
method: {name: epr, lam: 0.5}
steps: 100
seeds: 2
resources: {gpu: 0.5}
"""
GREEDY = """
import torch


class Greedy(torch.nn.Linear):
    def forward(self, x):
        if x.is_cuda:
            torch.empty(1 << 50, dtype=torch.uint8, device=x.device)
        return super().forward(x.flatten(1))


def network(*, num_outputs):
    return Greedy(64, num_outputs)
"""
"""A network that wants a petabyte of a GPU."""


def test_trials_share_a_gpu_and_one_that_does_not_fit_is_tried_on_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(SWEEP)
    (tmp_path / "greedy.py").write_text(GREEDY)
    command = [sys.executable, "-m", "orchestrator", "sweep", "shared.yaml", "--yes"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert "2 of 4 trials finished, 2 failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    (folder,) = (tmp_path / "sweeps").iterdir()
    journal = open_journal(str(folder))
    for trial_id in journal.trial_ids():
        ended, environment = journal.ended(trial_id), journal.environment(trial_id)
        assert ended is not None
        if ended.outcome == Outcome.FINISHED:
            assert environment["gpu"] == "0.5"
        else:
            assert ended.reason.startswith(OUT_OF_MEMORY)
            assert environment["gpu"] == "1"
