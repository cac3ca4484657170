"""How often a training reports."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.trainers.networks import clusters
from tests.trainers.trials import configuration
from trainers.loop.progress import judged_interval, report_steps, steps_per_epoch
from trainers.tasks.base import Split, Task


def task_of(num_train: int) -> Task:
    return dataclasses.replace(
        clusters(), train=Split(inputs=torch.zeros(num_train, 1, 4, 4), targets=torch.zeros(num_train).long())
    )


@pytest.mark.parametrize(("num_train", "wanted"), [(95, 9), (90, 9), (10, 1), (3, 1)])
def test_an_epoch_leaves_out_the_last_partial_batch_but_has_one_at_least(num_train: int, wanted: int) -> None:
    assert steps_per_epoch(configuration("uncompressed", batch_size=10), task_of(num_train)) == wanted


@pytest.mark.parametrize(
    ("steps", "wanted"), [(1, 9), (9 * 50, 9), (9 * 50 + 1, 18), (9 * 100, 18), (9 * 100 + 1, 27), (9000, 180)]
)
def test_judged_reports_are_whole_epochs_apart_and_fifty_at_most(steps: int, wanted: int) -> None:
    config, task = configuration("uncompressed", steps=steps, batch_size=10), task_of(95)
    assert judged_interval(config, task) == wanted
    assert steps / wanted <= 50


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (1, [1]),
        (4, [1, 2, 3, 4]),
        (8, [1, 2, 3, 4, 5, 6, 7, 8]),  # shorter than an epoch of nine
        (20, [2, 4, 6, 8, 9, 10, 12, 14, 16, 18, 20]),
        (90, list(range(9, 91, 9))),
        (91, [*range(9, 91, 9), 91]),
    ],
)
def test_a_training_reports_at_least_ten_times(steps: int, wanted: list[int]) -> None:
    assert report_steps(configuration("uncompressed", steps=steps, batch_size=10), task_of(95)) == wanted
