"""Replay: the real searchers and schedulers, with trainings looked up in a recorded sweep."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from analysis.fronts.hypervolume import hypervolume
from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.replay.recording import RecordedSweep
from orchestrator.replay.simulation import replay, whole_hypervolume
from orchestrator.search.searchers import SEARCHERS
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


@pytest.fixture(scope="module")
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
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (journal.trial_directory(trial.trial_id) / "progress.jsonl").write_text(text)
        found = point(
            size_bytes=int(size), quality_val=quality, quality=0.0, train_s=10.0, seed=trial.config.seed,
            config_hash=trial.config.config_hash,
        )  # fmt: skip
        journal.finish(trial.trial_id, [found])
    return path


@pytest.fixture(scope="module")
def recorded(folder: Path) -> RecordedSweep:
    return RecordedSweep.load(folder)


def with_(recorded: RecordedSweep, search: str, scheduler: Any = "none") -> Sweep:
    settings = {} if search == "grid" else {"num_trials": len(recorded.configurations)}
    return Sweep.from_dict({**recorded.sweep.to_dict(), "search": {"name": search, **settings}, "scheduler": scheduler})


@pytest.mark.parametrize("search", [name for name in SEARCHERS if name != "gp"])
def test_every_searcher_finds_the_whole_front_in_the_end(search: str, recorded: RecordedSweep) -> None:
    curve = replay(recorded, with_(recorded, search), search_seed=3, num_workers=2)
    assert len(curve.cost_s) == 50 + 1, "no training twice, and then the end"
    assert curve.cost_s[-1] == recorded.train_s == 500
    assert curve.hypervolume[-1] == pytest.approx(whole_hypervolume(recorded))
    assert replay(recorded, with_(recorded, search), search_seed=3, num_workers=2) == curve


def test_time_runs_as_it_was_recorded(recorded: RecordedSweep) -> None:
    one = replay(recorded, with_(recorded, "grid"), search_seed=0, num_workers=1)
    assert one.cost_s[:3] == [10.0, 20.0, 30.0]
    four = replay(recorded, with_(recorded, "grid"), search_seed=0, num_workers=4)
    assert four.cost_s[0] == 40.0, "the others had trained ten seconds too"
    assert one.at(9.9) == 0.0
    assert one.at(500) == one.hypervolume[-1]
    assert one.until(one.hypervolume[-1]) is not None
    assert one.until(2 * one.hypervolume[-1]) is None


def test_a_scheduler_saves_seconds_and_keeps_the_front(recorded: RecordedSweep) -> None:
    sweep = with_(recorded, "random", {"name": "mo_asha", "first": 0.1})
    curve = replay(recorded, sweep, search_seed=0, num_workers=2)
    assert curve.cost_s[-1] < 0.7 * recorded.train_s
    assert curve.hypervolume[-1] > 0.98 * whole_hypervolume(recorded)


def test_the_corner_lies_beyond_the_front(recorded: RecordedSweep) -> None:
    reference = recorded.reference()
    on_it = [reference.size_bytes], [reference.quality]
    assert hypervolume(*on_it, reference) == 0
    best = max(recorded.points(), key=lambda one: one.quality_val)
    assert hypervolume([best.size_bytes], [best.quality_val], reference) > 0


def test_configurations_without_all_their_seeds_are_left_out(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "cut")
    journal = Journal(LocalFolder(tmp_path / "cut"))
    (journal.trial_directory("0003-epr-s1") / "ended.json").unlink()
    assert len(RecordedSweep.load(tmp_path / "cut").configurations) == 24
    for trial_id in journal.trial_ids():
        journal.fail(trial_id, "all of them")
    with pytest.raises(SweepError, match="nothing to replay"):
        RecordedSweep.load(tmp_path / "cut")
    with pytest.raises(SweepError, match="is not the folder of a sweep"):
        RecordedSweep.load(tmp_path)
