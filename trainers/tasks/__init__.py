"""Registered tasks: functions of keyword arguments that return a ``Task``; of slow ones also an ``Excerpt``."""

from collections.abc import Callable

from trainers.tasks.base import Excerpt, Task
from trainers.tasks.cifar10 import cifar10, end_of_cifar10, some_of_cifar10
from trainers.tasks.digits import digits
from trainers.tasks.image import image
from trainers.tasks.mnist import fashion_mnist, mnist
from trainers.tasks.sentences import sentences
from trainers.tasks.text import text

TASKS: dict[str, Callable[..., Task]] = {
    "cifar10": cifar10,
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "image": image,
    "mnist": mnist,
    "sentences": sentences,
    "text": text,
}

EXCERPTS: dict[str, Callable[..., Excerpt]] = {
    "cifar10": some_of_cifar10,
}
"""For tasks whose data takes long to load: functions of the same arguments that load a part of it."""

MEASURING: dict[str, Callable[..., Task]] = {
    "cifar10": end_of_cifar10,
}
"""For the same tasks: functions of the same arguments that load all of validation and test, and less to train on."""
