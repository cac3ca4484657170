"""A network of two inputs: an image of a digit and a number, of which the sum is wanted."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.tasks.base import Examples, InMemory, Task, classification
from trainers.tasks.digits import digits


def sums() -> Task:
    """Tell the sum, 0 to 18, of the digit in ``image`` (1, 8, 8) and the digit ``number``."""

    def with_numbers(split: Examples) -> InMemory:
        images, shown = split.take(torch.arange(len(split)))
        numbers = torch.randint(10, (len(split),), generator=torch.Generator().manual_seed(len(split)))
        return InMemory(inputs={"image": images, "number": numbers}, targets=shown + numbers)

    given = digits()
    splits = [with_numbers(split) for split in (given.train, given.validation, given.test)]
    return classification(train=splits[0], validation=splits[1], test=splits[2], num_classes=19)


class Adder(nn.Module):
    """Inputs that are a dict are given by name; a tuple would be given by position."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.look, self.numbers = nn.Linear(64, 32), nn.Embedding(10, 32)
        self.hidden, self.head = nn.Linear(64, 64), nn.Linear(64, num_outputs)

    def forward(self, image: Tensor, number: Tensor) -> Tensor:
        both = torch.cat([F.relu(self.look(image.flatten(1))), self.numbers(number)], dim=1)
        outputs: Tensor = self.head(F.relu(self.hidden(both)))
        return outputs


def adder(*, num_outputs: int) -> nn.Module:
    """The architecture: a function that returns the network."""
    return Adder(num_outputs)
