"""A sweep that ran: each training took ten seconds, and reported each second."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from orchestrator.planning.study import plan
from orchestrator.replay.recording import RecordedSweep
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from tests.points import point
from trainers.config import TrialConfig

SWEEP = Sweep.from_dict(
    {
        "name": "recorded",
        "task": "digits",
        "architecture": {"name": "mlp", "hidden": [4]},
        "method": {"name": "epr", "lam": {"loguniform": [0.1, 3.0]}, "learning_rate": {"loguniform": [0.0001, 0.01]}},
        "steps": 100,
        "seeds": 2,
        "search": {"name": "grid", "num_values": 5},
    }
)


def measured(config: TrialConfig) -> tuple[float, float]:
    """Size and quality: lam trades one for the other, and 0.001 is the best learning rate."""
    arguments = config.method.arguments
    waste = abs(math.log10(arguments["learning_rate"] / 0.001))
    return 1000 / arguments["lam"] * 10**waste + config.seed, 0.95 - arguments["lam"] / 50 - waste / 4


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each training takes ten seconds and reports each second."""
    path = tmp_path_factory.mktemp("recorded")
    journal = Journal(LocalFolder(path))
    journal.begin_sweep(SWEEP.to_yaml())
    for trial in plan(SWEEP):
        journal.begin(trial.trial_id, trial.config.to_dict(), {})
        size, quality = measured(trial.config)
        rows = [
            {
                "step": 10 * number, "total_steps": 100, "phase": "train", "rate_bits": 8 * size * (2 - number / 10),
                "rate_comparable": True, "quality_val": quality, "maximise": True, "train_s": float(number),
            }
            for number in range(1, 11)
        ]  # fmt: skip
        for row in rows:
            journal.append_progress(trial.trial_id, row)
        found = point(
            size_bytes=int(size), quality_val=quality, quality=0.0, train_s=10.0, seed=trial.config.seed,
            config_hash=trial.config.config_hash,
        )  # fmt: skip
        journal.finish(trial.trial_id, [found])
    return path


@pytest.fixture(scope="package")
def recorded(folder: Path) -> RecordedSweep:
    return RecordedSweep.load(folder)
