"""Somebody's own task and architectures, named ``tests.trainers.networks:...`` as a user's code would be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.tasks.base import Batch, Split, Task, classification

COARSE = "tests.trainers.networks:coarse"
CLUSTERS = "tests.trainers.networks:clusters"
NORMED = "tests.trainers.networks:normed"
ODD = "tests.trainers.networks:odd"


def clusters(*, num_train: int = 96, seed: int = 0) -> Task:
    """Three noisy clusters of 1x4x4 images: learnable in a few steps, in no time."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(3, 1, 4, 4, generator=generator)

    def split(num_examples: int) -> Split:
        targets = torch.arange(num_examples) % 3
        return Split(
            inputs=centres[targets] + 0.5 * torch.randn(num_examples, 1, 4, 4, generator=generator), targets=targets
        )

    return classification(train=split(num_train), validation=split(48), test=split(48), num_classes=3)


def exploding() -> Task:
    """``clusters`` with a loss that is NaN from the start."""
    task = clusters()
    return Task(**{**vars(task), "loss": lambda network, batch: network(batch.inputs).sum() * float("nan")})


def normed(*, input_shape: Sequence[int], num_outputs: int, width: int = 4) -> nn.Module:
    """A network with BatchNorm: scales, shifts, running statistics and an int64 counter."""
    channels, height, side = input_shape
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(width * height * side, num_outputs),
    )


class Odd(nn.Module):
    """Tensors of unusual shapes and dtypes: a scalar, an empty one, one value, booleans, 64-bit integers and floats."""

    def __init__(self, num_inputs: int, num_outputs: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(num_inputs, num_outputs)
        self.temperature = nn.Parameter(torch.tensor(0.7))
        self.one = nn.Parameter(torch.tensor([[0.3]]))
        self.register_buffer("mask", torch.arange(num_inputs) % 5 != 0)
        self.register_buffer("order", torch.arange(num_outputs))
        self.register_buffer("nothing", torch.zeros(0, 3))
        self.register_buffer("offset", torch.zeros(num_outputs, dtype=torch.float64) - 0.1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(self.flatten(x) * self.mask)[:, self.order]
        return y * self.temperature + self.one * self.order + self.offset.float()


def odd(*, input_shape: Sequence[int], num_outputs: int) -> nn.Module:
    """See ``Odd``."""
    return Odd(torch.Size(input_shape).numel(), num_outputs)


def parameterless() -> nn.Module:
    """A network without parameters: there is nothing to train."""
    return nn.Flatten()


class Coarse(nn.Module):
    """A linear network of any dtype, which casts its inputs to that."""

    def __init__(self, num_inputs: int, num_outputs: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter((0.1 * torch.randn(num_outputs, num_inputs)).to(dtype))
        self.bias = nn.Parameter(torch.zeros(num_outputs).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.flatten(1).to(self.weight.dtype), self.weight, self.bias)


def coarse(*, input_shape: Sequence[int], num_outputs: int, dtype: str = "bfloat16") -> nn.Module:
    """See ``Coarse``; a file holds all dtypes but those of eight bits."""
    return Coarse(torch.Size(input_shape).numel(), num_outputs, getattr(torch, dtype))


def jittered() -> Task:
    """``clusters`` with random augmentation."""

    def augment(batch: Batch, generator: torch.Generator) -> Batch:
        noise = torch.randn(batch.inputs.shape, generator=generator)
        return batch._replace(inputs=batch.inputs + 0.1 * noise)

    return Task(**{**vars(clusters()), "augment": augment})


TWINS = "tests.trainers.networks:twins"


def pairs(*, as_dict: bool = False) -> Task:
    """Two images each, as a tuple or by name: which of three clusters the first is of."""
    task = clusters()

    def split(examples: Any) -> Split:
        both = (examples.inputs, examples.inputs.flip(0))
        named = dict(zip(("left", "right"), both, strict=True))
        return Split(inputs=named if as_dict else both, targets=examples.targets)

    return task.with_splits(split)


class Twins(nn.Module):
    """A network of two inputs, with hidden units of its own and a batch norm."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, bias=False), nn.Conv2d(1, 3, 3)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(7, num_outputs)
        self.hidden = nn.Linear(7, 7)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        both = [torch.relu(self.norm(self.first(left))), torch.relu(self.second(right))]
        joined = torch.cat([one.mean((2, 3)) for one in both], dim=1)
        outputs: Tensor = self.head(torch.relu(self.hidden(joined)))
        return outputs


def twins(*, num_outputs: int) -> nn.Module:
    return Twins(num_outputs)
