"""The form of a network that methods see and files hold."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from trainers.networks.parametrizations import computed
from trainers.networks.tensors import each_once


def storable(network: nn.Module) -> nn.Module:
    """The network without parametrizations, with each tensor named once; it is changed in place."""
    return each_once(computed(network))


def holding(network: nn.Module, values: Mapping[str, Tensor]) -> nn.Module:
    """``storable`` of the network with these values, of parametrizations or of what they compute; changed in place."""
    network.load_state_dict(values, strict=False)
    network = storable(network)
    network.load_state_dict(values, strict=False)  # of what parametrizations computed
    return network
