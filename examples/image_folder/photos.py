"""A task from a folder of images that has a folder for each class, such as ``photos/cat/1.jpg``."""

from __future__ import annotations

from pathlib import Path

from trainers.data.images import split_folder
from trainers.tasks.base import Task, classification


def photos(*, folder: str = "photos", size: int = 64) -> Task:
    """Tell the classes of the images in ``folder``, beside this file or anywhere, at ``size`` x ``size`` pixels.

    A tenth of the images validates, a tenth tests. Training images are cropped and flipped at random.
    """
    train, validation, test = split_folder(
        Path(__file__).parent / folder, size=size, random_crop=True, flip=True, mean=0.5, deviation=0.25
    )
    return classification(train=train, validation=validation, test=test, num_classes=len(train.classes))
