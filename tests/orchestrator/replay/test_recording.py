"""A sweep that ran is a table of its trainings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analysis.fronts.hypervolume import hypervolume
from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.replay.recording import RecordedSweep
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.trials import taken_apart
from tests.points import point


def test_a_training_is_looked_up_by_its_configuration_and_seed(recorded: RecordedSweep) -> None:
    trial = plan(recorded.sweep)[7]
    found = recorded.trial(*taken_apart(trial.config.to_dict()))
    assert found.ended.points[0].config_hash == trial.config.config_hash
    assert found.ended.points[0].seed == trial.config.seed
    assert [row["train_s"] for row in found.progress] == [float(number) for number in range(1, 11)]
    assert found.train_s == 10.0
    assert recorded.train_s == 500.0


def test_a_choice_falls_on_the_nearest_configuration_that_was_recorded(recorded: RecordedSweep) -> None:
    values = {"method 0.lam": 0.11, "method 0.learning_rate": 0.009}
    chosen = recorded.space.choose(lambda name, domain: values.get(name, 0))
    assert (chosen["method"]["lam"], chosen["method"]["learning_rate"]) == (0.1, 0.01)
    assert chosen in recorded.configurations


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
    untrained = point(num_steps=0, train_s=0.0)
    for trial_id in journal.trial_ids():
        journal.finish(trial_id, [untrained])
    with pytest.raises(SweepError, match="took no steps: searches are compared by seconds of training"):
        RecordedSweep.load(tmp_path / "cut")
    with pytest.raises(SweepError, match="is not the folder of a sweep"):
        RecordedSweep.load(tmp_path)


@pytest.mark.parametrize("kind", ["ended.json", "trial.json"])
def test_a_trial_whose_files_are_damaged_is_left_out_and_named(kind: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "hurt")
    (tmp_path / "hurt" / "trials" / "0003-epr-s1" / kind).write_bytes(b"{")
    said: list[str] = []
    found = RecordedSweep.load(tmp_path / "hurt", damaged=said.append)
    assert len(found.configurations) == 24
    assert [f"trials/0003-epr-s1/{kind} is damaged" in line for line in said] == [True]
