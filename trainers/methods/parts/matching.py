"""Batch norms and biases measured anew after weights were rounded, so that layers keep the means that they had.

A norm's running statistics move by as much as those of the same examples moved. So a network that was trained on other
examples than these, augmented ones say, keeps what it knows of them.

References:
    Finkelstein, Almog, Grobman 2019, "Fighting Quantization Bias With Bias", arXiv 1906.03193.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainers.methods.parts.layer_inputs import first_argument, is_plain
from trainers.methods.parts.recalibration import remembering
from trainers.methods.parts.steps import wide
from trainers.methods.parts.weight_matrices import is_linear_by_inputs
from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.trees import Tree, copied, num_rows, rows

_FEW = 4
"""The examples that show how large outputs are, and the least that are measured."""
_MOST_VALUES = 1 << 26
"""The most values of one layer's outputs, for all examples together."""
_MOST_FACTOR = 4.0
"""A norm's variance changes by this factor at most: more is a channel that rounding silenced or made."""


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The mean and the variance of each channel, (channels,), of what a norm is given or a layer returns."""

    mean: Tensor
    variance: Tensor

    @property
    def is_finite(self) -> bool:
        return bool(self.mean.isfinite().all() and self.variance.isfinite().all())


@torch.no_grad()
def statistics(network: nn.Module, inputs: Tree) -> tuple[dict[str, Statistics], Tree]:
    """Measure a network's norms and biased layers, by prefix; those that are used more than once are left out.

    Args:
        network: stays as it is.
        inputs: examples.

    Returns:
        The statistics, and the examples that they are of: fewer where a layer's outputs are large.
    """
    few = rows(inputs, slice(_FEW))
    sizes: dict[str, list[int]] = defaultdict(list)
    _run(network, few, lambda prefix, module, values: sizes[prefix].append(values.numel()))
    largest = max(1, max(map(max, sizes.values()), default=1) // num_rows(few))
    used = rows(inputs, slice(max(_FEW, _MOST_VALUES // largest)))
    found: dict[str, Statistics] = {}

    def note(prefix: str, module: nn.Module, values: Tensor) -> None:
        if len(sizes[prefix]) == 1 and values.numel():
            found[prefix] = _statistics(values, module)

    _run(network, used, note)
    return {prefix: one for prefix, one in found.items() if one.is_finite}, used


@torch.no_grad()
def match(network: nn.Module, wanted: dict[str, Statistics], inputs: Tree) -> None:
    """Change norms' running statistics, and biases, so that each layer of ``network`` has the statistics that it had.

    Layers are corrected in the order in which they compute, each on what the corrected ones before it make.

    Args:
        network: with rounded weights.
        wanted: from ``statistics`` of the network before.
        inputs: the examples of ``wanted``.
    """

    def correct(prefix: str, module: nn.Module, values: Tensor) -> Tensor | None:
        if prefix not in wanted:
            return None
        before, now = wanted[prefix], _statistics(values, module)
        if not now.is_finite:
            return None
        if is_plain(module):
            moved = (before.mean - now.mean).to(values)
            cast(Tensor, module.bias).add_(moved)
            return values + moved.reshape(_beside(values, module))
        mean, variance = cast(Tensor, module.running_mean), cast(Tensor, module.running_var)
        epsilon = cast(float, module.eps)
        factor = ((now.variance + epsilon) / (before.variance + epsilon)).clamp(1 / _MOST_FACTOR, _MOST_FACTOR)
        mean.copy_(now.mean + (mean - before.mean) * factor.sqrt())
        variance.mul_(factor.to(variance))
        return None

    _run(network, inputs, correct)


_See = Callable[[str, nn.Module, Tensor], Any]
"""Is called with what a norm is given, or with what a layer returns, which a tensor that it returns replaces."""


def _run(network: nn.Module, inputs: Tree, see: _See) -> None:
    handles = []
    norms = remembering(network)
    for name, module in network.named_modules():
        prefix = f"{name}." if name else ""
        if prefix in norms:
            handles.append(module.register_forward_pre_hook(_before(prefix, see), with_kwargs=True))
        elif is_plain(module) and module.bias is not None:
            handles.append(module.register_forward_hook(_after(prefix, see)))
    try:
        with evaluating(network):
            call(network, copied(inputs))  # the network may write to it
    finally:
        for handle in handles:
            handle.remove()


def _before(prefix: str, see: _See) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        see(prefix, module, first_argument(args, kwargs))

    return hook


def _after(prefix: str, see: _See) -> Callable[..., Any]:
    def hook(module: nn.Module, args: tuple[Any, ...], outputs: Tensor) -> Any:
        return see(prefix, module, outputs)

    return hook


def _axis(values: Tensor, module: nn.Module) -> int:
    """The axis of channels: unbatched inputs of a convolution have one less."""
    if isinstance(module, nn.Linear) or is_linear_by_inputs(module):
        return values.ndim - 1
    if is_plain(module):
        return values.ndim - 1 - len(cast(tuple[int, ...], module.kernel_size))
    return 1


def _beside(values: Tensor, module: nn.Module) -> Sequence[int]:
    axis = _axis(values, module)
    return [-1 if each == axis else 1 for each in range(values.ndim)]


def _statistics(values: Tensor, module: nn.Module) -> Statistics:
    flat = wide(values.movedim(_axis(values, module), 0).flatten(1))
    variance, mean = torch.var_mean(flat, dim=1, correction=0)
    return Statistics(mean=mean, variance=variance)
