"""scikit-learn's handwritten digits: 1,797 images of 8x8, ten classes; ships with the library, needs no download."""

from __future__ import annotations

import torch

from trainers.seeding import derive
from trainers.tasks.base import Split, Task, classification

_NUM_TRAIN, _NUM_VALIDATION = 1097, 300


def digits() -> Task:
    """Handwritten digits: 1,097 training, 300 validation and 400 test images, shuffled once in a fixed order.

    References:
        Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI repository (its test part).
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    # by hash and not by randperm, whose order may change with torch's version
    order = torch.tensor(sorted(range(len(data.target)), key=lambda index: derive(0, "digits split", index)))
    inputs = torch.from_numpy(data.images).to(torch.float32).div(16).sub(0.5).mul(2).unsqueeze(1)[order]
    targets = torch.from_numpy(data.target).to(torch.int64)[order]
    stop = _NUM_TRAIN + _NUM_VALIDATION
    return classification(
        train=Split(inputs=inputs[:_NUM_TRAIN], targets=targets[:_NUM_TRAIN]),
        validation=Split(inputs=inputs[_NUM_TRAIN:stop], targets=targets[_NUM_TRAIN:stop]),
        test=Split(inputs=inputs[stop:], targets=targets[stop:]),
        num_classes=10,
    )
