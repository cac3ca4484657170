"""A small convolutional network for small images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from trainers import checks
from trainers.architectures.base import initialise


def cnn(*, input_shape: Sequence[int], num_outputs: int, channels: Sequence[int] = (16, 32)) -> nn.Module:
    """3x3 convolutions with ReLU, each followed by 2x2 max pooling, then one fully connected layer.

    Args:
        input_shape: (channels, height, width); each side at least 2 ** len(channels).
        num_outputs: for a classifier, the number of classes.
        channels: the number of output channels of each convolution.
    """
    checks.integers("input_shape", input_shape, low=1, high=1 << 16, max_length=3)
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 20)
    checks.integers("channels", channels, low=1, high=1 << 16, max_length=12)
    if len(input_shape) != 3:
        raise ValueError(f"input_shape is {list(input_shape)}: wanted (channels, height, width)")
    num_in, height, width = input_shape
    if min(height, width) < 2 ** len(channels):
        raise ValueError(f"images of {height}x{width} are too small for {len(channels)} poolings: give fewer channels")
    layers: list[nn.Module] = []
    for num_out in channels:
        layers += [nn.Conv2d(num_in, num_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        num_in, height, width = num_out, height // 2, width // 2
    return initialise(nn.Sequential(*layers, nn.Flatten(), nn.Linear(num_in * height * width, num_outputs)))
