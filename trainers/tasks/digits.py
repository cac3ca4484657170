"""Handwritten digits: 1,797 images of 8x8, ten classes; a file beside this one, which needs no download."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from importlib import resources

import numpy as np
import torch

from trainers.seeding import derive
from trainers.tasks.base import InMemory, Task, classification
from trainers.tasks.marks import MEASURED_LATER, came_later

_NUM_TRAIN, _NUM_VALIDATION = 1097, 300


@came_later(*MEASURED_LATER)
def digits(*, calibration: bool = False, label_smoothing: float = 0.0, top: Sequence[int] = ()) -> Task:
    """Handwritten digits: 1,097 training, 300 validation and 400 test images, shuffled once in a fixed order.

    Args:
        calibration, label_smoothing, top: as of ``classification``.

    References:
        Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI repository (CC BY 4.0): its test
        part, in the file that scikit-learn has. A row has 64 pixels from 0 to 16, and the digit.
    """
    with resources.files(__package__).joinpath("digits.csv.gz").open("rb") as packed, gzip.open(packed) as rows:
        data = torch.from_numpy(np.loadtxt(rows, delimiter=",", dtype=np.int64))
    # by hash and not by randperm, whose order may change with torch's version
    order = torch.tensor(sorted(range(len(data)), key=lambda index: derive(0, "digits split", index)))
    inputs = data[order, :-1].to(torch.float32).div(16).sub(0.5).mul(2).reshape(-1, 1, 8, 8)
    targets = data[order, -1]
    stop = _NUM_TRAIN + _NUM_VALIDATION
    return classification(
        train=InMemory(inputs=inputs[:_NUM_TRAIN], targets=targets[:_NUM_TRAIN]),
        validation=InMemory(inputs=inputs[_NUM_TRAIN:stop], targets=targets[_NUM_TRAIN:stop]),
        test=InMemory(inputs=inputs[stop:], targets=targets[stop:]),
        num_classes=10,
        calibration=calibration,
        label_smoothing=label_smoothing,
        top=top,
    )
