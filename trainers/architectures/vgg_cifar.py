"""VGG-16 for 32x32 images, as compression papers use it on CIFAR-10: 15.0 million parameters."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from trainers import checks
from trainers.architectures.base import initialise

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg16_cifar(*, input_shape: Sequence[int] = (3, 32, 32), num_outputs: int = 10) -> nn.Module:
    """Thirteen 3x3 convolutions with batch norm in five stages, then 512 hidden units.

    Args:
        input_shape: (channels, height, width); each side 32 to 63, which five poolings reduce to one.
        num_outputs: number of classes.

    References:
        Simonyan and Zisserman 2015, "Very Deep Convolutional Networks", arXiv 1409.1556, configuration D; batch norm
        and the smaller head as in Liu and Deng 2015, "Very Deep Convolutional Neural Network Based Image
        Classification Using Small Training Sample Size".
    """
    checks.integers("input_shape", input_shape, low=1, high=1 << 16, max_length=3)
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 20)
    if len(input_shape) != 3 or not all(32 <= side <= 63 for side in input_shape[1:]):
        raise ValueError(f"input_shape is {list(input_shape)}: wanted (channels, height, width), sides of 32 to 63")
    layers: list[nn.Module] = []
    num_in = input_shape[0]
    for stage in _STAGES:
        for num_out in stage:
            layers += [nn.Conv2d(num_in, num_out, 3, padding=1, bias=False), nn.BatchNorm2d(num_out), nn.ReLU()]
            num_in = num_out
        layers.append(nn.MaxPool2d(2))
    head = [nn.Flatten(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, num_outputs)]
    return initialise(nn.Sequential(*layers, *head))
