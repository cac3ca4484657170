"""Numbered examples in memory, and parts of them."""

import pytest
import torch

from trainers.data.examples import Chosen, InMemory, few, head, spread

INPUTS, TARGETS = torch.arange(12.0).view(6, 2), torch.arange(6)


def test_examples_are_taken_by_their_numbers_and_copied():
    examples = InMemory(inputs=INPUTS, targets=TARGETS)
    inputs, targets = examples.take(torch.tensor([4, 1, 4]))
    assert targets.tolist() == [4, 1, 4]
    assert torch.equal(inputs, INPUTS[[4, 1, 4]])
    inputs.zero_()
    assert INPUTS[4, 0] == 8


def test_trees_are_taken_alike():
    examples = InMemory(inputs={"left": INPUTS, "right": (INPUTS + 1, INPUTS.int())}, targets=TARGETS)
    inputs, targets = examples.take(torch.tensor([5, 0]))
    assert len(examples) == 6
    assert inputs["right"][0].tolist() == [[11.0, 12.0], [1.0, 2.0]]
    assert inputs["right"][1].dtype == torch.int32
    assert targets.tolist() == [5, 0]


@pytest.mark.parametrize(
    ("inputs", "targets", "said"),
    [
        (INPUTS, TARGETS[:5], "6 inputs, 5 targets"),
        (INPUTS[:0], TARGETS[:0], "0 inputs, 0 targets"),
        ((INPUTS, INPUTS[:3]), TARGETS, "3, 6 inputs, 6 targets"),
        ((), TARGETS, "no inputs, 6 targets"),
        (INPUTS.numpy(), TARGETS, "inputs of a split hold ndarray"),
        (INPUTS, torch.tensor(3), "targets of a split hold Tensor"),
    ],
)
def test_what_is_not_so_many_examples_is_refused(inputs, targets, said):
    with pytest.raises(ValueError, match=said):
        InMemory(inputs=inputs, targets=targets)


def test_parts_are_examples_too():
    examples = InMemory(inputs=INPUTS, targets=TARGETS)
    assert few(examples, 2).targets.tolist() == [0, 1]
    assert few(head(examples, 4), 9).targets.tolist() == [0, 1, 2, 3]
    assert few(spread(examples, 4), 9).targets.tolist() == [0, 1, 3, 4]
    assert few(spread(examples, 100), 9).targets.tolist() == list(range(6))
    assert Chosen(whole=spread(examples, 4), numbers=torch.tensor([3])).take(torch.tensor([0])).targets.tolist() == [4]
