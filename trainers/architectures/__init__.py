"""Registered architectures: functions of keyword arguments that return a plain ``nn.Module``.

A registered name's meaning never changes: files in the world refer to it.
"""

from trainers.architectures.base import Architecture
from trainers.architectures.cnn import cnn
from trainers.architectures.lenet import lenet5, lenet300_100
from trainers.architectures.mlp import mlp
from trainers.architectures.resnet_cifar import resnet_cifar
from trainers.architectures.vgg_cifar import vgg16_cifar

ARCHITECTURES: dict[str, Architecture] = {
    "cnn": cnn,
    "lenet300_100": lenet300_100,
    "lenet5": lenet5,
    "mlp": mlp,
    "resnet_cifar": resnet_cifar,
    "vgg16_cifar": vgg16_cifar,
}
