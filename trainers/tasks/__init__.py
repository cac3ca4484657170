"""Registered tasks: functions of keyword arguments that return a ``Task``."""

from collections.abc import Callable

from trainers.tasks.base import Task
from trainers.tasks.cifar10 import cifar10
from trainers.tasks.digits import digits
from trainers.tasks.mnist import fashion_mnist, mnist

TASKS: dict[str, Callable[..., Task]] = {
    "cifar10": cifar10,
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "mnist": mnist,
}
