"""A task that needs no data: ten random images under noise, which small networks learn in a few hundred steps."""

from __future__ import annotations

import functools

import torch

from trainers.tasks.base import InMemory, Task, classification


@functools.cache
def patterns(*, channels: int = 1, side: int = 28) -> Task:
    """8,192 training images, as large as MNIST's by default, 256 for validation and for test."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randn(10, channels, side, side, generator=generator)

    def split(size: int) -> InMemory:
        targets = torch.randint(10, (size,), generator=generator)
        inputs = 0.3 * classes[targets] + torch.randn(size, channels, side, side, generator=generator)
        return InMemory(inputs=inputs, targets=targets)

    return classification(train=split(8192), validation=split(256), test=split(256), num_classes=10)
