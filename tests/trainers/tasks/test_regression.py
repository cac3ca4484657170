"""Regression: mean squared error, and its root as the quality."""

import pytest
import torch
from torch import nn

from trainers.evaluate import evaluate
from trainers.tasks.base import InMemory, regression


def task_of(targets, num_outputs=1):
    split = InMemory(inputs=torch.arange(12.0).view(4, 3), targets=targets)
    return regression(train=split, validation=split, test=split, num_outputs=num_outputs)


@pytest.mark.parametrize("shape", [(4, 1), (4,)])
def test_numbers_for_a_single_output_may_be_a_column_or_not(shape):
    network = nn.Linear(3, 1)
    targets = torch.tensor([1.0, 5.0, -2.0, 0.5])
    task = task_of(targets.view(shape))
    errors = (network(task.train.inputs)[:, 0] - targets).square().mean()
    assert task.loss(network, task.train.take(torch.arange(4))).item() == pytest.approx(errors.item())
    assert evaluate(network, task.validation, task) == pytest.approx(errors.sqrt().item())


@pytest.mark.parametrize("what", ["loss", "score"])
def test_targets_of_another_shape_than_outputs_are_refused(what):
    task = task_of(torch.zeros(4, 1), num_outputs=4)
    with pytest.raises(ValueError, match=r"\(4,\) for each example, and targets \(1,\): wanted the same"):
        getattr(task, what)(nn.Linear(3, 4), task.train.take(torch.arange(4)))
