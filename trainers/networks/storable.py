"""The form of a network that methods see and files hold."""

from __future__ import annotations

from torch import nn

from trainers.networks.parametrizations import computed
from trainers.networks.tensors import each_once


def storable(network: nn.Module) -> nn.Module:
    """The network without parametrizations, with each tensor named once; it is changed in place."""
    return each_once(computed(network))
