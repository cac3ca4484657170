"""How often a training reports."""

from __future__ import annotations

import pytest

from tests.trainers.trials import configuration
from trainers.loop.progress import judged_interval, report_steps
from trainers.training_settings import steps_per_epoch


@pytest.mark.parametrize(("num_train", "wanted"), [(95, 9), (90, 9), (10, 1), (3, 1)])
def test_an_epoch_leaves_out_the_last_partial_batch_but_has_one_at_least(num_train: int, wanted: int) -> None:
    assert steps_per_epoch(num_train, 10) == wanted


@pytest.mark.parametrize(
    ("steps", "wanted"), [(1, 9), (9 * 50, 9), (9 * 50 + 1, 18), (9 * 100, 18), (9 * 100 + 1, 27), (9000, 180)]
)
def test_judged_reports_are_whole_epochs_apart_and_fifty_at_most(steps: int, wanted: int) -> None:
    config = configuration("uncompressed", steps=steps, batch_size=10)
    assert judged_interval(config, 95) == wanted
    assert steps / wanted <= 50


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (0, []),
        (1, [1]),
        (4, [1, 2, 3, 4]),
        (8, [1, 2, 3, 4, 5, 6, 7, 8]),  # shorter than an epoch of nine
        (20, [2, 4, 6, 8, 9, 10, 12, 14, 16, 18, 20]),
        (90, list(range(9, 91, 9))),
        (91, [*range(9, 91, 9), 91]),
    ],
)
def test_a_training_reports_at_least_ten_times(steps: int, wanted: list[int]) -> None:
    assert report_steps(configuration("uncompressed", steps=steps, batch_size=10), 95) == wanted
