"""Computes a network with other tensors in place of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from trainers.networks.tensors import places


class Substitution:
    """Puts tensors, by their first names, into all places of a network that share them.

    ``torch.func.functional_call`` alone loses a parameter of a module that has two names: it restores the second name
    to the substitute.
    """

    def __init__(self, network: nn.Module) -> None:
        """``network`` still has all its parameters."""
        self._places = places(network)

    def remove(self, network: nn.Module, names: Collection[str]) -> None:
        """Take the parameters of these first names away from ``network``; ``compute`` is to give them from now on."""
        for place, first in self._places.items():
            if first in names:
                prefix, _, attribute = place.rpartition(".")
                # not by setattr, which makes recurrent layers forget which weights they have
                network.get_submodule(prefix)._parameters[attribute] = None

    def compute(self, network: nn.Module, tensors: Mapping[str, Tensor], *inputs: Any, **named: Any) -> Any:
        """The outputs of ``network`` with ``tensors`` in place of those of the same first names."""
        placed = {place: tensors[first] for place, first in self._places.items() if first in tensors}
        return functional_call(network, placed, inputs, named, tie_weights=False)
