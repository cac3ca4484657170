"""Residual networks for 32x32 images (He et al. 2016, section 4.2), with free shortcuts and a width factor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from trainers import checks
from trainers.architectures.base import initialise


def resnet_cifar(
    *, depth: int = 20, width: int = 1, input_shape: Sequence[int] = (3, 32, 32), num_outputs: int = 10
) -> nn.Module:
    """``depth`` layers in three stages of 16, 32 and 64 times ``width`` channels.

    ResNet-20-4 of compression papers is ``depth=20, width=4``: 4.3 million parameters.

    Args:
        depth: 6 n + 2: 20, 32, 44, 56, 110.
        width: multiplies every number of channels.
        input_shape: (channels, height, width).
        num_outputs: number of classes.

    References:
        He, Zhang, Ren, Sun 2016, "Deep Residual Learning for Image Recognition", arXiv 1512.03385, section 4.2.
    """
    checks.integer("depth", depth, low=8, high=1202)
    checks.integer("width", width, low=1, high=64)
    checks.integers("input_shape", input_shape, low=1, high=1 << 16, max_length=3)
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 20)
    if len(input_shape) != 3:
        raise ValueError(f"input_shape is {list(input_shape)}: wanted (channels, height, width)")
    if depth % 6 != 2:
        raise ValueError(f"depth is {depth}: wanted 6 n + 2, such as 20, 32, 44, 56")
    num_blocks = (depth - 2) // 6
    return initialise(ResNet(input_shape[0], num_blocks=num_blocks, width=width, num_outputs=num_outputs))


class ResNet(nn.Module):
    """The network; its modules have the names of the usual trained checkpoints, so that these load."""

    def __init__(self, num_in: int, *, num_blocks: int, width: int, num_outputs: int) -> None:
        super().__init__()
        channels = 16 * width
        self.conv1 = nn.Conv2d(num_in, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = _stage(channels, channels, num_blocks, stride=1)
        self.layer2 = _stage(channels, 2 * channels, num_blocks, stride=2)
        self.layer3 = _stage(2 * channels, 4 * channels, num_blocks, stride=2)
        self.linear = nn.Linear(4 * channels, num_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.linear(x.mean(dim=(2, 3)))
        return logits


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut that subsamples and pads channels with zeros (option A)."""

    def __init__(self, num_in: int, num_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_in, num_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(num_out)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(num_out)
        self.stride, self.padding = stride, (num_out - num_in) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))
        return F.relu(x + y)


def _stage(num_in: int, num_out: int, num_blocks: int, *, stride: int) -> nn.Sequential:
    rest = (Block(num_out, num_out, 1) for _ in range(num_blocks - 1))
    return nn.Sequential(Block(num_in, num_out, stride), *rest)
