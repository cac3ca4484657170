"""Second moments of what layers are given: the Hessians of the squared errors of their outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from trainers.methods.parts.layer_inputs import owners, watching
from trainers.methods.parts.steps import times_power, wide
from trainers.methods.parts.weight_matrices import matrix_of
from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.trees import Tree, copied

_MOST_BYTES = 1 << 29
"""The second moments that are held at once; the examples pass the network once for each such group of weights."""


@torch.no_grad()
def second_moments(network: nn.Module, batches: Sequence[Tree], names: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """Yield (name of a weight, sum of x x^T over the inputs x that it is multiplied with), a few at a time in memory.

    A weight that no watched module uses is left out, and one whose inputs are not finite. Units are arbitrary.

    Args:
        network: stays as it is.
        batches: of inputs, on the network's device.
        names: of weights; they come in this order.

    Returns:
        For each weight (groups, columns, columns) in float32: ``layer_inputs.Note`` says what groups are.
    """
    having = owners(network)
    sizes = {
        name: _num_bytes(having[name], parameter)
        for name, parameter in network.named_parameters()
        if name in names and name in having
    }
    for group in _in_groups([name for name in names if name in sizes], sizes):
        sums = _Sums()
        with evaluating(network), watching(network, set(group), sums.add):
            for batch in batches:
                call(network, copied(batch))  # the network may write to it
        for name in group:
            products = sums.found.pop(name, None)
            if products is not None and products.isfinite().all():
                yield name, products


class _Sums:
    """Sums of x x^T, by the name of the weight; their scale is any, since no rounding depends on it."""

    def __init__(self) -> None:
        self.found: dict[str, Tensor] = {}
        self._exponents: dict[str, int] = {}

    def add(self, name: str, inputs: Tensor) -> None:
        """Add inputs (groups, positions, columns)."""
        inputs = wide(inputs.detach())
        if name not in self.found:
            largest = float(inputs.abs().max())
            self._exponents[name] = -int(np.frexp(largest)[1]) if np.isfinite(largest) else 0
        near_one = times_power(inputs, self._exponents[name]).float()
        products = near_one.transpose(1, 2) @ near_one
        self.found[name] = self.found[name] + products if name in self.found else products


def _num_bytes(layer: nn.Module, weight: Tensor) -> int:
    return 4 * matrix_of(layer, weight).shape[1] ** 2


def _in_groups(names: Sequence[str], sizes: dict[str, int]) -> Iterator[list[str]]:
    """``names`` in order, in groups of no more than ``_MOST_BYTES``, or of one."""
    group: list[str] = []
    for name in names:
        if group and sum(sizes[one] for one in group) + sizes[name] > _MOST_BYTES:
            yield group
            group = []
        group.append(name)
    if group:
        yield group
