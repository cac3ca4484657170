"""Registered architectures: functions of keyword arguments that return a plain ``nn.Module``.

A registered name's meaning never changes: files in the world refer to it.
"""

from trainers.architectures.base import Architecture
from trainers.architectures.bert import bert
from trainers.architectures.cnn import cnn
from trainers.architectures.gpt import gpt
from trainers.architectures.grids import grids
from trainers.architectures.lenet import lenet5, lenet300_100
from trainers.architectures.mlp import mlp
from trainers.architectures.resnet_cifar import resnet_cifar
from trainers.architectures.resnet_imagenet import resnet18, resnet50
from trainers.architectures.siren import siren
from trainers.architectures.timm import timm_architecture
from trainers.architectures.transformers import transformers_architecture
from trainers.architectures.vgg_cifar import vgg16_cifar
from trainers.lookup import is_timm, is_transformers, resolve

ARCHITECTURES: dict[str, Architecture] = {
    "bert": bert,
    "cnn": cnn,
    "gpt": gpt,
    "grids": grids,
    "lenet300_100": lenet300_100,
    "lenet5": lenet5,
    "mlp": mlp,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet_cifar": resnet_cifar,
    "siren": siren,
    "vgg16_cifar": vgg16_cifar,
}


def lookup_architecture(name: str, *, allow_import: bool) -> Architecture:
    """Return the architecture: a registered one, ``timm:NAME``, ``transformers:CLASS``, or ``module:callable``.

    The last, a user's own code, is found with ``allow_import`` alone.

    Raises:
        ValueError: there is no such architecture, or it may not be imported.
    """
    if is_timm(name):
        return timm_architecture(name)
    if is_transformers(name):
        return transformers_architecture(name)
    return resolve("architecture", name, ARCHITECTURES, allow_import=allow_import)
