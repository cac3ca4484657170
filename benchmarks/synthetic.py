"""A task that needs no data: ten random images under noise, which MNIST's networks learn in a few hundred steps."""

from __future__ import annotations

import functools

import torch

from trainers.tasks.base import InMemory, Task, classification


@functools.cache
def patterns() -> Task:
    """8,192 training images of 1x28x28, 256 for validation and for test."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randn(10, 1, 28, 28, generator=generator)

    def split(size: int) -> InMemory:
        targets = torch.randint(10, (size,), generator=generator)
        inputs = 0.3 * classes[targets] + torch.randn(size, 1, 28, 28, generator=generator)
        return InMemory(inputs=inputs, targets=targets)

    return classification(train=split(8192), validation=split(256), test=split(256), num_classes=10)
