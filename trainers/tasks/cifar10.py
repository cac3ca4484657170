"""CIFAR-10: 32x32 colour images in ten classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trainers import checks
from trainers.datasets import cifar10 as files
from trainers.tasks.augment import random_flip, random_shift
from trainers.tasks.base import Excerpt, InMemory, Task, classification
from trainers.tasks.marks import MEASURED_LATER, came_later

_NUM_TRAIN, _NUM_VALIDATION, _NUM_TEST = 45_000, 5_000, 10_000
_MOST_SHIFT = 4
# ImageNet's; the published CIFAR-10 ResNet-20 and ResNet-32 of akamaster/pytorch_resnet_cifar10 expect exactly these
_MEAN = (0.485, 0.456, 0.406)
_STANDARD_DEVIATION = (0.229, 0.224, 0.225)


@came_later(*MEASURED_LATER)
def cifar10(
    *, augment: bool = True, calibration: bool = False, label_smoothing: float = 0.0, top: Sequence[int] = ()
) -> Task:
    """CIFAR-10: 45,000 training and 5,000 validation images (the last of the training files), 10,000 test images.

    Args:
        augment: while training, shift each image by up to 4 pixels, padded with zeros after normalisation, and
            mirror it with probability one half, as He et al.
        calibration, label_smoothing, top: as of ``classification``.

    References:
        Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
        He, Zhang, Ren, Sun 2016, "Deep Residual Learning for Image Recognition", arXiv 1512.03385.
    """
    checks.boolean("augment", augment)
    train, test = files.load()
    others = {"calibration": calibration, "label_smoothing": label_smoothing, "top": top}
    return _task(train, _NUM_TRAIN, test, augment=augment, **others)


def some_of_cifar10(*, augment: bool = True, **others: Any) -> Excerpt:
    """A tenth of the data of ``cifar10``: unpacking all of it takes ten seconds."""
    checks.boolean("augment", augment)
    train, test = files.load_some((_NUM_TRAIN + _NUM_VALIDATION) // 10, _NUM_TEST // 10)
    return Excerpt(
        task=_task(train, _NUM_TRAIN // 10, test, augment=augment, **others),
        num_train=_NUM_TRAIN,
        num_validation=_NUM_VALIDATION,
        num_test=_NUM_TEST,
    )


def end_of_cifar10(*, augment: bool = True, **others: Any) -> Task:
    """``cifar10`` with its last 5,000 training images alone: unpacking takes a third of the time."""
    checks.boolean("augment", augment)
    train, test = files.load_last()
    return _task(train, len(train[0]) - _NUM_VALIDATION, test, augment=augment, **others)


def _task(train: files.Examples, num_train: int, test: files.Examples, *, augment: bool, **others: Any) -> Task:
    """The task whose first ``num_train`` of ``train`` are trained on; the rest is for validation."""
    images, labels = train
    return classification(
        train=_split((images[:num_train], labels[:num_train])),
        validation=_split((images[num_train:], labels[num_train:])),
        test=_split(test),
        num_classes=10,
        augment=shift_and_flip if augment else None,
        **others,
    )


def shift_and_flip(inputs: Tensor) -> Tensor:
    return random_flip(random_shift(inputs, most=_MOST_SHIFT))


def _split(examples: files.Examples) -> InMemory:
    images, labels = examples
    mean, standard_deviation = (torch.tensor(values).view(3, 1, 1) for values in (_MEAN, _STANDARD_DEVIATION))
    inputs = torch.tensor(images).to(torch.float32).div_(255).sub_(mean).div_(standard_deviation)
    return InMemory(inputs=inputs, targets=torch.tensor(labels).to(torch.int64))
