"""What a checkpoint holds, when it is due, and which ones are refused."""

from __future__ import annotations

import dataclasses
import io
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.full_disk import files_of_at_most
from tests.trainers.methods.two_phases import two_phases
from tests.trainers.trials import configuration
from trainers.loop.checkpoint import Checkpoint, CheckpointFile, Position
from trainers.loop.progress import Progress
from trainers.train import train

pytestmark = pytest.mark.usefixtures("two_phases_is_registered")

DECISIONS = [None, {"kept": [True, False], "salt": 3.0, "one": [1, None, "two"]}]


def checkpoint(decisions: list[Any] = DECISIONS) -> Checkpoint:
    weight = torch.nn.Parameter(torch.arange(3.0))
    adam = torch.optim.Adam([weight])
    schedule = torch.optim.lr_scheduler.LinearLR(adam)
    return Checkpoint(
        config="{}",
        position=Position(phase=1, step=40, num_steps=31, stopped=True, train_s=2.5, decisions=decisions),
        model={"weight": weight.detach()},
        optimisers=[adam.state_dict()],
        schedules=[schedule.state_dict()],
    )


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    """The checkpoint stays on disk."""

    def interrupt(progress: Progress) -> None:
        if progress.step == 18:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(two_phases(), interrupt, tmp_path, checkpoint_interval_s=0)
    with pytest.raises(ValueError, match=r"checkpoint\.pt belongs to another configuration: remove it, or give"):
        train(two_phases(patience=5), interrupt, tmp_path)
    assert (tmp_path / "checkpoint.pt").exists()


def test_a_checkpoint_is_written_no_more_often_than_asked(tmp_path: Path) -> None:
    saves: list[str] = []

    def run(name: str, interval_s: float) -> None:
        train(
            configuration("uncompressed"),
            lambda progress: None,
            tmp_path / name,
            checkpoint_interval_s=interval_s,
            saved=lambda train_s: saves.append(name),
        )

    run("rarely", 3600)
    assert saves == []
    run("always", 0)
    assert saves == ["always"] * 6


def test_a_checkpoint_is_due_again_an_interval_after_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    file = CheckpointFile(tmp_path / "checkpoint.pt", interval_s=5.0)
    assert not file.is_due
    now[0] = 105.0
    assert file.is_due
    file.save(checkpoint())
    assert not file.is_due
    now[0] = 109.9
    assert not file.is_due


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "checkpoint.pt", interval_s=0)
    assert file.load("{}") is None
    saved = checkpoint()
    file.save(saved)
    loaded = file.load("{}")
    assert loaded is not None
    assert loaded.position == saved.position
    assert torch.equal(loaded.model["weight"], saved.model["weight"])
    assert (loaded.optimisers, loaded.schedules) == (saved.optimisers, saved.schedules)


def test_the_names_in_a_checkpoint_are_those_of_checkpoints_that_lie_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    CheckpointFile(path, interval_s=0).save(checkpoint())
    assert list(state_of(path)) == [
        "config",
        "phase",
        "step",
        "num_steps",
        "stopped",
        "train_s",
        "loss_sum",
        "loss_steps",
        "decisions",
        "points",
        "model",
        "optimisers",
        "schedules",
    ]


def test_a_checkpoint_of_before_losses_were_kept_and_of_before_checksums_is_read(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    CheckpointFile(path, interval_s=0).save(checkpoint())
    state = state_of(path)
    del state["loss_sum"], state["loss_steps"]
    torch.save(state, path)
    loaded = CheckpointFile(path, interval_s=0).load("{}")
    assert loaded is not None
    assert (loaded.position.loss_sum, loaded.position.loss_steps) == (0.0, 0)


def test_a_checkpoint_holds_tensors_and_plain_data_only(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "ran"),))

    file = CheckpointFile(tmp_path / "checkpoint.pt", interval_s=0)
    file.save(checkpoint([Trap()]))
    said: list[str] = []
    assert CheckpointFile(tmp_path / "checkpoint.pt", interval_s=0, damaged=said.append).load("{}") is None
    assert "Weights only load failed" in said[0]
    assert not (tmp_path / "ran").exists()


def state_of(path: Path) -> Any:
    """What a checkpoint's file holds, after the line with its checksum."""
    return torch.load(io.BytesIO(path.read_bytes().partition(b"\n")[2]), weights_only=True)


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "half": content[:middle],
            "empty": b"",
            "zeroed": bytes(len(content)),
            "another first byte": b"x" + content[1:],
            "one bit": content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :],
        }[how]
    )


HOW = ["half", "empty", "zeroed", "another first byte", "one bit"]


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_checkpoint_is_set_aside_with_one_line_and_the_one_before_is_read(how: str, tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "checkpoint.pt", interval_s=0)
    for step in (40, 41, 42):
        file.save(dataclasses.replace(checkpoint(), position=Position(phase=1, step=step)))
    damage(tmp_path / "checkpoint.pt", how)  # the third replaced the first
    said: list[str] = []
    later = CheckpointFile(tmp_path / "checkpoint.pt", interval_s=0, damaged=said.append)
    loaded = later.load("{}")
    assert loaded is not None
    assert loaded.position.step == 41
    (line,) = said
    assert line.startswith(f"{tmp_path}/checkpoint.pt is damaged (")
    assert "\n" not in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-2.pt", "checkpoint.pt.damaged"]
    later.save(dataclasses.replace(checkpoint(), position=Position(phase=1, step=50)))
    assert state_of(tmp_path / "checkpoint-2.pt")["step"] == 41, "the whole one stays"
    damage(tmp_path / "checkpoint.pt", how)
    damage(tmp_path / "checkpoint-2.pt", how)
    assert later.load("{}") is None
    assert len(said) == 3


def test_of_forty_flipped_bits_none_is_read(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    CheckpointFile(path, interval_s=0).save(checkpoint())
    content, dice = path.read_bytes(), random.Random(0)
    for position in dice.sample(range(len(content)), 40):
        flipped = bytearray(content)
        flipped[position] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        assert CheckpointFile(path, interval_s=0).load("{}") is None, position


@pytest.mark.parametrize("damaged", [["checkpoint.pt"], ["checkpoint-2.pt"], ["checkpoint.pt", "checkpoint-2.pt"]])
def test_a_training_whose_checkpoints_are_damaged_ends_in_the_same_files(damaged: list[str], tmp_path: Path) -> None:
    whole = train(two_phases(), lambda progress: None, tmp_path / "whole")

    def interrupt(progress: Progress) -> None:
        if progress.step == 27:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(two_phases(), interrupt, tmp_path / "parts", checkpoint_interval_s=0)
    for name in damaged:
        damage(tmp_path / "parts" / name, "one bit")
    said: list[str] = []
    steps: list[int] = []
    points = train(two_phases(), lambda progress: steps.append(progress.step), tmp_path / "parts", damaged=said.append)
    assert [point.sha256 for point in points] == [point.sha256 for point in whole]
    assert len(said) == len(damaged)
    assert (steps[0] > 20) is (len(damaged) < 2), "it goes on from the other checkpoint, where there is one"


def test_a_training_goes_on_where_the_disk_has_no_space_for_a_checkpoint(tmp_path: Path) -> None:
    """It says so once, keeps the checkpoints that are there, and does not try again before the next is due."""
    said: list[str] = []
    saved: list[float] = []
    file = CheckpointFile(tmp_path / "checkpoint.pt", interval_s=0.0, damaged=said.append, saved=saved.append)
    file.save(checkpoint())
    slow = CheckpointFile(tmp_path / "checkpoint.pt", interval_s=60.0, damaged=said.append, saved=saved.append)
    assert slow.load("{}") is not None
    slow._last_save_s -= 60.0
    assert slow.is_due
    with files_of_at_most(500):
        for _ in range(2):
            slow.save(checkpoint())
    assert not slow.is_due
    (line,) = said
    assert line.startswith("no checkpoint was written (file too large for ")
    assert line.endswith("checkpoint-2.pt): the training went on without it")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert len(saved) == 3, "whoever is told may end a training that takes too long"
