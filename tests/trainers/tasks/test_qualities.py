"""Several qualities of a task: what they are by hand, over a split in batches, and in the record of a trial."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.networks import clusters
from tests.trainers.trials import configuration
from trainers.divergence import DivergedError
from trainers.evaluate import evaluate, measure
from trainers.record import from_row, others_of, to_row
from trainers.tasks.base import InMemory, Quality, Score, Task, classification
from trainers.tasks.digits import digits
from trainers.train import train

TOP, NLL, ECE = "top-2 accuracy", "negative log-likelihood", "expected calibration error"
QUALITIES: dict[str, Any] = {"top": [2], "calibration": True}


def of_logits(logits: Tensor, targets: Tensor, **changes: Any) -> Task:
    """A task whose inputs are what ``nn.Identity`` returns: logits."""
    split = InMemory(inputs=logits, targets=targets)
    arguments = {"num_classes": logits.shape[1], **QUALITIES, **changes}
    return classification(train=split, validation=split, test=split, **arguments)


def measured(task: Task) -> dict[str, float]:
    found = measure(nn.Identity(), task.test, task)
    return {task.quality_name: found.quality, **found.others}


def test_each_quality_is_what_it_is_by_hand() -> None:
    shares = torch.tensor([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.3, 0.3001, 0.3999]])
    task = of_logits(shares.log(), torch.tensor([0, 1, 2, 2]))
    assert [(one.name, one.maximise) for one in task.others] == [(TOP, True), (NLL, False), (ECE, False)]
    # the confidences are 0.7, of which one in three is right, and 0.3999, which is
    error = (3 * (0.7 - 1 / 3) + (1 - 0.3999)) / 4
    log_likelihood = sum(map(math.log, (0.7, 0.2, 0.1, 0.3999))) / 4
    wanted = {"accuracy": 0.5, TOP: 0.75, NLL: -log_likelihood, ECE: error}
    assert measured(task) == pytest.approx(wanted, rel=1e-5)
    assert evaluate(nn.Identity(), task.test, task) == 0.5


@pytest.mark.parametrize(("confidence", "num_right", "error"), [(0.7, 70, 0.0), (0.9, 50, 0.4), (0.6, 100, 0.4)])
def test_a_split_of_known_calibration_has_its_error(confidence: float, num_right: int, error: float) -> None:
    logits = torch.tensor([confidence, 1 - confidence]).log().expand(100, 2)
    targets = (torch.arange(100) >= num_right).long()
    assert measured(of_logits(logits, targets))[ECE] == pytest.approx(error, abs=1e-6)


def test_errors_of_opposite_signs_cancel_within_a_bin_and_not_between_two() -> None:
    logits = torch.tensor([[0.71, 0.29], [0.72, 0.28], [0.95, 0.05]]).log()
    wanted = (abs(0.71 - 1 + 0.72) + abs(0.95 - 1)) / 3
    assert measured(of_logits(logits, torch.tensor([0, 1, 0])))[ECE] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 19, 100])
def test_totals_do_not_depend_on_the_batches(batch_size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20, 5, generator=generator)
    task = of_logits(logits, torch.randint(5, (20,), generator=generator))
    whole = measured(task)
    assert 0 < whole["accuracy"] < whole[TOP] < 1
    assert measured(dataclasses.replace(task, evaluation_batch_size=batch_size)) == pytest.approx(whole, rel=1e-6)


def test_smoothed_labels_change_the_loss_and_no_quality() -> None:
    logits, targets = torch.randn(20, 5, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 5
    plain, smooth = (of_logits(logits, targets, label_smoothing=share) for share in (0.0, 0.1))
    assert measured(plain) == measured(smooth)
    logs = logits.log_softmax(dim=1)
    by_hand = -(0.9 * logs[torch.arange(20), targets] + 0.1 * logs.mean(dim=1)).mean()
    found = smooth.loss(nn.Identity(), smooth.train.take(torch.arange(20)))
    torch.testing.assert_close(found, by_hand)


def test_a_task_may_score_sums_of_its_own() -> None:
    """The root of a mean is no mean of roots."""
    task = dataclasses.replace(
        clusters(),
        score=lambda network, batch: Score((batch.targets.sum(), batch.targets.square().sum()), len(batch.targets)),
        others=(Quality(name="root", maximise=False, of=math.sqrt),),
    )
    found = measure(nn.Identity(), task.test, task)
    assert (found.quality, found.others) == (1.0, {"root": pytest.approx(math.sqrt(5 / 3))})


def test_qualities_that_cannot_be_told_apart_or_written_are_one_line() -> None:
    for name in ("", "two\nlines", "x" * 61, 3):
        with pytest.raises(
            ValueError, match=r"^a quality is called .*: wanted a line of text of at most 60 characters"
        ):
            Quality(name=name, maximise=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^maximise is 1: wanted true or false"):
        Quality(name="a", maximise=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^a task has two qualities of one name: accuracy, accuracy"):
        dataclasses.replace(clusters(), others=(Quality(name="accuracy", maximise=True),))
    many = tuple(Quality(name=f"q{index}", maximise=True) for index in range(21))
    with pytest.raises(ValueError, match=r"^a task has 22 qualities: wanted at most 20 beside the objective"):
        dataclasses.replace(clusters(), others=many)
    lacking = dataclasses.replace(clusters(), others=many[:1])
    with pytest.raises(
        ValueError, match=r"^score has 1 totals: wanted one for each quality of the task, accuracy, q0$"
    ):
        measure(nn.Flatten(), lacking.test, lacking)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top": 5}, "top is 5: wanted a list of at most 8 whole numbers"),
        ({"top": [1]}, "top[0] is 1: wanted a whole number of at least 2 and at most 10"),
        ({"top": [11]}, "top[0] is 11: wanted a whole number of at least 2 and at most 10"),
        ({"top": [2, 2]}, "top is [2, 2]: wanted each number once"),
        ({"calibration": 1}, "calibration is 1: wanted true or false"),
        ({"label_smoothing": 1.5}, "label_smoothing is 1.5: wanted a number of at least 0 and at most 1"),
    ],
)
def test_a_wrong_argument_of_a_shipped_task_is_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        digits(**arguments)
    assert str(caught.value) == message


def test_a_trial_records_them_on_both_splits_and_its_files_are_the_same(tmp_path: Path) -> None:
    points = {}
    for name, arguments in (("plain", {}), ("several", QUALITIES)):
        config = configuration("ptq", task={"name": "digits", **arguments})
        points[name] = train(config, lambda progress: None, tmp_path / name)
    assert [one.sha256 for one in points["plain"]] == [one.sha256 for one in points["several"]]
    assert {one.others for one in points["plain"]} == {""}
    for point in points["several"]:
        others = others_of(point.others)
        assert [(name, one.maximise) for name, one in others.items()] == [(TOP, True), (NLL, False), (ECE, False)]
        assert others[TOP].quality >= point.quality
        assert others[TOP].quality_val >= point.quality_val
        assert others[NLL].quality != others[NLL].quality_val
        assert from_row(json.loads(json.dumps(to_row(point)))) == point


def test_a_quality_that_is_not_a_number_fails_the_trial_by_name(tmp_path: Path) -> None:
    config = configuration("ptq", task={"name": "tests.trainers.tasks.test_qualities:undefined"})
    with pytest.raises(DivergedError, match="the decoded network's undefined is nan"):
        train(config, lambda progress: None, tmp_path)


def undefined() -> Task:
    """``digits`` with a quality that is undefined."""
    task = digits(top=[2])
    return dataclasses.replace(task, others=(Quality(name="undefined", maximise=True, of=lambda mean: math.nan),))
