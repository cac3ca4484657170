"""Trainings whose examples are read by workers."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trainers.data.feed_examples import Jittered, Odd
from trainers.config import Spec, TrialConfig
from trainers.data.examples import Examples
from trainers.loop.progress import Progress
from trainers.tasks.base import Task, classification
from trainers.train import train

CONFIG = TrialConfig(
    task=Spec(name="own:task"),
    architecture=Spec(name="mlp", arguments={"hidden": [8]}),
    method=Spec(name="epr", arguments={"lam": 0.5}),
    steps=60,
    batch_size=16,
)


def task(train_split: Examples) -> Task:
    return classification(train=train_split, validation=Jittered(600), test=Jittered(600), num_classes=2)


def silent(progress: Progress) -> None:
    pass


def trained(folder: Path, data_workers: int) -> tuple[bytes, float]:
    (point,) = train(CONFIG, silent, folder, task=task(Jittered(200)), data_workers=data_workers)
    return Path(point.path).read_bytes(), point.quality


class CutOffError(Exception):
    """The training was cut off."""


def test_files_and_qualities_do_not_depend_on_the_workers_nor_on_a_resume_with_others(tmp_path: Path) -> None:
    alone = trained(tmp_path / "alone", 0)
    assert alone[1] > 0.7
    assert trained(tmp_path / "two", 2) == alone

    def cut_off(progress: Progress) -> None:
        if progress.step > 30:
            raise CutOffError

    with pytest.raises(CutOffError):
        train(CONFIG, cut_off, tmp_path, task=task(Jittered(200)), data_workers=2, checkpoint_interval_s=0)
    assert not multiprocessing.active_children()
    assert trained(tmp_path, 1) == alone


def test_a_training_that_fails_leaves_no_workers(tmp_path: Path) -> None:
    plain = replace(CONFIG, method=Spec(name="uncompressed"))  # epr tries a batch before the training
    with pytest.raises(ValueError, match="picture 99 is torn"):
        train(plain, silent, tmp_path, task=task(Odd("refuse", at=99)), data_workers=1)
    assert not multiprocessing.active_children()
