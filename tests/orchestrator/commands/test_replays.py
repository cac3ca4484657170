"""``ratefront replay`` compares searchers by what recorded trainings took and gave."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.commands.replays import replay
from orchestrator.planning.study import plan
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from tests.points import point


def test_a_front_without_a_hypervolume_is_refused_in_one_line(tmp_path: Path) -> None:
    """One seed of the only configuration is far worse than the other, which alone is on the front of seeds."""
    sweep = Sweep.from_dict(
        {
            "name": "recorded",
            "task": "digits",
            "architecture": {"name": "mlp", "hidden": [4]},
            "method": {"name": "ptq", "bits": 4},
            "steps": 10,
            "seeds": 2,
        }
    )
    journal = Journal(LocalFolder(tmp_path / "sweep"))
    journal.begin_sweep(sweep.to_yaml())
    for trial, quality in zip(plan(sweep), (0.9, 0.1), strict=True):
        journal.begin(trial.trial_id, trial.config.to_dict(), {})
        found = point(
            seed=trial.config.seed,
            config_hash=trial.config.config_hash,
            train_s=1.0,
            num_steps=10,
            size_bytes=1000,
            quality_val=quality,
        )
        journal.finish(trial.trial_id, [found])
    with pytest.raises(ValueError, match="by means over seeds no configuration") as caught:
        replay(tmp_path / "sweep", searchers=["random"], repeats=1)
    assert "\n" not in str(caught.value)


def test_modules_of_the_working_directory_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "replayed.py").write_text("def task(): pass\ndef net(): pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    journal = Journal(LocalFolder(tmp_path / "sweep"))
    journal.begin_sweep("task: replayed:task\narchitecture: replayed:net\nmethod: uncompressed\nsteps: 1\n")
    with pytest.raises(ValueError, match="sweep has"):
        replay(tmp_path / "sweep")
