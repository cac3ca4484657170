"""Registered architectures: functions of keyword arguments that return a plain ``nn.Module``.

A registered name's meaning never changes: files in the world refer to it.
"""

from trainers.architectures.base import Architecture
from trainers.architectures.cnn import cnn
from trainers.architectures.lenet import lenet5, lenet300_100
from trainers.architectures.mlp import mlp

ARCHITECTURES: dict[str, Architecture] = {
    "cnn": cnn,
    "lenet300_100": lenet300_100,
    "lenet5": lenet5,
    "mlp": mlp,
}
