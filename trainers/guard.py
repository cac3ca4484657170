"""Guards a trial's promise: the network that is decoded from a file computes what the method meant to store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from trainers.methods.base import Context
from trainers.networks.comparison import difference
from trainers.networks.norms import BatchNorm, batch_norms, is_folded, unfold
from trainers.networks.parametrizations import duplicate
from trainers.networks.tensors import places
from trainers.trees import Tree, rows

_QUICK_MACS = 6e9
"""The multiplications of a batch that is looked at beforehand."""


class StoredWronglyError(Exception):
    """A decoded network does not compute what its method meant to store."""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Compares decoded networks with the trained one, whose parameters are set to the stored values.

    The trained network is the very module that was trained, with whatever it holds besides its ``state_dict``. Its
    folded batch norms keep their statistics, and numbers that are not floating point their values. So whatever a file
    misses shows.
    """

    network: nn.Module
    """The plain network that was trained."""
    context: Context
    inputs: Tree
    """Those of a small batch."""
    seed: Callable[[], None]
    """Called before each pass, so that what a network draws is drawn alike."""

    def quick(self, macs: int, fewest: int) -> Guard:
        """The same on fewer examples where the network is large, for a look beforehand.

        Args:
            macs: the multiply-accumulates of one example.
            fewest: the fewest examples that the network takes at once.
        """
        return replace(self, inputs=rows(self.inputs, slice(max(fewest, int(_QUICK_MACS / max(1, macs))))))

    def check(
        self, point_id: str, stored: Mapping[str, Tensor], decoded: nn.Module, unsorted: Callable[[], nn.Module]
    ) -> None:
        """Compare.

        Args:
            point_id: what a message calls the file.
            stored: what the method's own sections decode to, before hidden units are sorted.
            decoded: the network from the file.
            unsorted: builds another network, with the values of ``stored``.

        Raises:
            StoredWronglyError: the networks compute differently; one line says where first.
        """
        found = difference(self._meant(stored), decoded, self.inputs, seed=self.seed, located=unsorted)
        if found is not None:
            raise StoredWronglyError(
                f"{point_id}: the network decoded from the file does not compute what the trained one does: {found}; "
                "wanted a network that its parameters and buffers determine. If it is one, this is a fault of ratefront"
            )

    @torch.no_grad()
    def _meant(self, stored: Mapping[str, Tensor]) -> nn.Module:
        """The trained network with the stored values."""
        meant = duplicate(self.network)
        norms = batch_norms(meant)
        folded = {prefix for prefix in self.context.folded_norms if is_folded(prefix, stored)}
        for place, first in places(self.context.plain).items():
            if first not in stored:  # a buffer that is not persistent, the same in every build
                continue
            prefix, _, attribute = place.rpartition(".")
            module, values = meant.get_submodule(prefix), stored[first].to(self.context.device, copy=True)
            if attribute in module._parameters and values.is_floating_point():
                module._parameters[attribute] = nn.Parameter(values, requires_grad=False)
            elif isinstance(module, BatchNorm) and f"{prefix}." not in folded:  # measured anew for each file
                module._buffers[attribute] = values
        for prefix in folded:
            norm = norms[prefix]
            for key, values in unfold(norm, stored[f"{prefix}weight"], stored[f"{prefix}bias"]).items():
                getattr(norm, key).copy_(values)
        return meant
