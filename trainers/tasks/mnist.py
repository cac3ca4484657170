"""MNIST and Fashion-MNIST: 28x28 grey images in ten classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from trainers.datasets import idx
from trainers.tasks.base import Split, Task, classification

_NUM_TRAIN = 55_000


def mnist() -> Task:
    """55,000 training and 5,000 validation images (the last of the training file), 10,000 test images.

    References:
        LeCun, Bottou, Bengio, Haffner 1998, "Gradient-Based Learning Applied to Document Recognition".
    """
    return _load("mnist", mean=0.1307, standard_deviation=0.3081)


def fashion_mnist() -> Task:
    """Split as ``mnist``.

    References:
        Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST", arXiv 1708.07747.
    """
    return _load("fashion-mnist", mean=0.2860, standard_deviation=0.3530)


def _load(data_set: str, *, mean: float, standard_deviation: float) -> Task:
    def split(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
        inputs = torch.tensor(images).to(torch.float32).div_(255).sub_(mean).div_(standard_deviation).unsqueeze(1)
        return Split(inputs=inputs, targets=torch.tensor(labels).to(torch.int64))

    images, labels = idx.load(data_set, "train")
    return classification(
        train=split(images[:_NUM_TRAIN], labels[:_NUM_TRAIN]),
        validation=split(images[_NUM_TRAIN:], labels[_NUM_TRAIN:]),
        test=split(*idx.load(data_set, "t10k")),
        num_classes=10,
    )
