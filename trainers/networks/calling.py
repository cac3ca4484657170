"""How a network is called where nothing but its outputs is asked."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from trainers.trees import Tree, leaves

Network = Callable[..., Any]
"""A network, or what a method makes of one."""


def call(network: Network, inputs: Tree) -> Any:
    """The outputs for ``inputs``: a tuple is spread to positional arguments, a dict to arguments by name."""
    if isinstance(inputs, Mapping):
        return network(**inputs)
    return network(*inputs) if isinstance(inputs, tuple | list) else network(inputs)


class Remade(nn.Module, abc.ABC):
    """A network whose tensors are made of others, such as latents, whenever it is called."""

    @abc.abstractmethod
    def made(self) -> Network:
        """The network with its tensors as they are now, to be called any number of times."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.made()(*inputs, **named)


def settled(network: nn.Module) -> Network:
    """The network, to be called again and again while nothing changes: what it makes is made once."""
    return network.made() if isinstance(network, Remade) else network


def other_type(network: nn.Module, inputs: Tree) -> str:
    """What to add to an error where real inputs are of another type than the network's parameters; else nothing."""
    types = [
        {str(one.dtype).removeprefix("torch.") for one in some if isinstance(one, Tensor) and one.is_floating_point()}
        for some in (leaves(inputs), network.parameters())
    ]
    given, own = (", ".join(sorted(found)) for found in types)
    if not given or not own or types[0] <= types[1]:
        return ""
    return f"; inputs are {given} and the network's parameters {own}: wanted the same, as inputs.to(torch.{own}) makes"
