"""MNIST and Fashion-MNIST: 28x28 grey images in ten classes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from trainers import checks
from trainers.datasets import idx
from trainers.tasks.augment import random_shift
from trainers.tasks.base import InMemory, Task, classification
from trainers.tasks.marks import MEASURED_LATER, came_later

_NUM_TRAIN = 55_000
_SIDE = 28


@came_later(*MEASURED_LATER)
def mnist(*, shift: int = 0, calibration: bool = False, label_smoothing: float = 0.0, top: Sequence[int] = ()) -> Task:
    """MNIST: 55,000 training and 5,000 validation images (the last of the training file), 10,000 test images.

    Args:
        shift: while training, move each image by up to this many pixels along both axes; 0 moves nothing.
        calibration, label_smoothing, top: as of ``classification``.

    References:
        LeCun, Bottou, Bengio, Haffner 1998, "Gradient-Based Learning Applied to Document Recognition".
    """
    others = {"calibration": calibration, "label_smoothing": label_smoothing, "top": top}
    return _load("mnist", mean=0.1307, standard_deviation=0.3081, shift=shift, **others)


@came_later(*MEASURED_LATER)
def fashion_mnist(
    *, shift: int = 0, calibration: bool = False, label_smoothing: float = 0.0, top: Sequence[int] = ()
) -> Task:
    """Fashion-MNIST: the same splits and arguments as ``mnist``.

    References:
        Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST", arXiv 1708.07747.
    """
    others = {"calibration": calibration, "label_smoothing": label_smoothing, "top": top}
    return _load("fashion-mnist", mean=0.2860, standard_deviation=0.3530, shift=shift, **others)


def _load(data_set: str, *, mean: float, standard_deviation: float, shift: int, **others: Any) -> Task:
    checks.integer("shift", shift, low=0, high=_SIDE - 1)

    def split(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> InMemory:
        inputs = torch.tensor(images).to(torch.float32).div_(255).sub_(mean).div_(standard_deviation).unsqueeze(1)
        return InMemory(inputs=inputs, targets=torch.tensor(labels).to(torch.int64))

    images, labels = idx.load(data_set, "train")
    return classification(
        train=split(images[:_NUM_TRAIN], labels[:_NUM_TRAIN]),
        validation=split(images[_NUM_TRAIN:], labels[_NUM_TRAIN:]),
        test=split(*idx.load(data_set, "t10k")),
        num_classes=10,
        augment=partial(random_shift, most=shift, fill=-mean / standard_deviation) if shift else None,  # with black
        **others,
    )
