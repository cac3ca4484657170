"""Quality is measured in batches of the task's size; a network that computes the same whatever its inputs is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainers.data.examples import TaskError
from trainers.evaluate import evaluate, is_constant
from trainers.tasks.base import Split, classification

INPUTS = torch.randn(2500, 6, generator=torch.Generator().manual_seed(0))
SPLIT = Split(inputs=INPUTS, targets=torch.zeros(2500, dtype=torch.int64))
TASK = classification(train=SPLIT, validation=SPLIT, test=SPLIT, num_classes=3)


def network(dead: int | None) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
    if dead is not None:
        nn.init.zeros_(model[dead].weight)  # type: ignore[arg-type]
    return model


class Computing(nn.Module):
    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(x)


@pytest.mark.parametrize(("dead", "found"), [(None, False), (0, True), (3, True)])
def test_a_network_whose_layer_is_all_zero_is_constant(dead: int | None, found: bool) -> None:
    assert is_constant(network(dead), SPLIT, TASK) is found


def test_a_residual_network_can_afford_a_layer_of_zeros() -> None:
    branch = network(0)
    assert not is_constant(Computing(lambda x: (x[:, :3] + branch(x)).relu()), SPLIT, TASK)


def test_one_example_that_differs_is_enough_wherever_it_lies() -> None:
    inputs = torch.zeros(2500, 6)
    inputs[2400] = 1.0
    assert not is_constant(network(None), Split(inputs=inputs, targets=SPLIT.targets), TASK)


def test_the_last_bits_of_a_sum_are_no_difference() -> None:
    noise = 1e-7 * torch.rand(2500, 1)
    assert is_constant(Computing(lambda x: 5 + noise[: len(x)]), SPLIT, TASK)
    assert not is_constant(Computing(lambda x: 5 + 100 * noise[: len(x)]), SPLIT, TASK)


@pytest.mark.parametrize("found", [torch.tensor(0.5), (1.0, 2.0, 3), None])
def test_a_score_that_is_none_is_the_tasks_mistake(found: Any) -> None:
    task = dataclasses.replace(TASK, score=lambda network, batch: found)
    said = rf"^score of the task returned {type(found).__name__}: wanted Score\(total, num\), the sum over the batch"
    with pytest.raises(TaskError, match=said):
        evaluate(network(None), SPLIT, task)


@pytest.mark.parametrize("varies", [True, False])
def test_outputs_may_be_of_any_structure_and_type(varies: bool) -> None:
    positive = Computing(lambda x: {"logits": torch.ones(len(x), 2), "found": (x[:, :1] > (0 if varies else 9),)})
    assert is_constant(positive, SPLIT, TASK) is not varies


@pytest.mark.parametrize("outputs", [None, torch.zeros(3, 5), torch.tensor(2.0), (torch.zeros(3, 5), "text")])
def test_outputs_that_are_not_one_for_each_example_tell_nothing(outputs: object) -> None:
    assert not is_constant(Computing(lambda x: outputs), SPLIT, TASK)


def test_a_single_example_tells_nothing_and_the_mode_stays() -> None:
    model = network(0).train()
    assert not is_constant(model, Split(inputs=INPUTS[:1], targets=SPLIT.targets[:1]), TASK)
    assert model.training


@pytest.mark.parametrize(("batch_size", "wanted"), [(1000, [1000, 1000, 500]), (1300, [1300, 1200]), (9999, [2500])])
def test_the_task_says_how_many_examples_are_measured_at_once(batch_size: int, wanted: list[int]) -> None:
    seen: list[int] = []
    model = Computing(lambda x: (seen.append(len(x)), x[:, :3])[1])
    task = dataclasses.replace(TASK, evaluation_batch_size=batch_size)
    quality = evaluate(model, SPLIT, task)
    assert quality == int((INPUTS[:, :3].argmax(dim=1) == 0).sum()) / 2500
    assert seen == wanted
    assert TASK.evaluation_batch_size == 250


def test_a_task_that_measures_nothing_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="evaluation_batch_size is 0: wanted"):
        dataclasses.replace(TASK, evaluation_batch_size=0)
