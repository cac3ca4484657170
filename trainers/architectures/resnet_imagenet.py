"""Residual networks for ImageNet (He et al. 2015), with the names of torchvision's trained weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from trainers import checks
from trainers.architectures.base import initialise


def resnet18(*, input_shape: Sequence[int] = (3, 224, 224), num_outputs: int = 1000) -> nn.Module:
    """Four stages of two blocks, each of two 3x3 convolutions: 11,689,512 parameters with 1000 outputs.

    Args:
        input_shape: (channels, height, width).
        num_outputs: number of classes.

    References:
        He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", arXiv 1512.03385, table 1, option B.
    """
    return _resnet(BasicBlock, (2, 2, 2, 2), input_shape, num_outputs)


def resnet50(*, input_shape: Sequence[int] = (3, 224, 224), num_outputs: int = 1000) -> nn.Module:
    """3, 4, 6 and 3 bottleneck blocks: 25,557,032 parameters with 1000 outputs.

    Version 1.5: a stage's first block halves the image in its 3x3 convolution; in the paper, the 1x1 before halves it.

    Args:
        input_shape: (channels, height, width).
        num_outputs: number of classes.

    References:
        He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", arXiv 1512.03385, table 1; version
        1.5 as in torchvision.
    """
    return _resnet(Bottleneck, (3, 4, 6, 3), input_shape, num_outputs)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, num_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(num_in, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 convolutions that narrow and widen by four, beside a shortcut."""

    expansion = 4

    def __init__(self, num_in: int, width: int, stride: int) -> None:
        super().__init__()
        num_out = self.expansion * width
        self.conv1 = nn.Conv2d(num_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, num_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(num_out)
        self.downsample = _shortcut(num_in, num_out, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet(nn.Module):
    """The network; its tensors have torchvision's names and order, so that torchvision's weights load."""

    def __init__(
        self, kind: type[BasicBlock] | type[Bottleneck], num_blocks: Sequence[int], num_in: int, num_outputs: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_in, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(kind, 64, 64, num_blocks[0], stride=1)
        self.layer2 = _stage(kind, kind.expansion * 64, 128, num_blocks[1], stride=2)
        self.layer3 = _stage(kind, kind.expansion * 128, 256, num_blocks[2], stride=2)
        self.layer4 = _stage(kind, kind.expansion * 256, 512, num_blocks[3], stride=2)
        self.fc = nn.Linear(kind.expansion * 512, num_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: torch.Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


def _resnet(
    kind: type[BasicBlock] | type[Bottleneck], num_blocks: Sequence[int], input_shape: Sequence[int], num_outputs: int
) -> nn.Module:
    checks.integers("input_shape", input_shape, low=1, high=1 << 16, max_length=3)
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 20)
    if len(input_shape) != 3:
        raise ValueError(f"input_shape is {list(input_shape)}: wanted (channels, height, width)")
    return initialise(ResNet(kind, num_blocks, input_shape[0], num_outputs))


def _stage(
    kind: type[BasicBlock] | type[Bottleneck], num_in: int, width: int, num_blocks: int, *, stride: int
) -> nn.Sequential:
    rest = (kind(kind.expansion * width, width, 1) for _ in range(num_blocks - 1))
    return nn.Sequential(kind(num_in, width, stride), *rest)


def _shortcut(num_in: int, num_out: int, stride: int) -> nn.Module:
    """Pass the input as it is or, if the shape changes, through a 1x1 convolution (option B)."""
    if stride == 1 and num_in == num_out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(num_in, num_out, 1, stride=stride, bias=False), nn.BatchNorm2d(num_out))
