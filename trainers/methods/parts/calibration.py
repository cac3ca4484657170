"""The error in a layer's outputs that an error in its weights causes, on real, random or synthesised examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trainers.data.examples import few
from trainers.methods.base import Context
from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.trees import Tree, copied, leaves, mapped, moved_to, type_text

SOURCES = ("real", "gaussian", "batch_norm")
NUM_EXAMPLES = 128
_NUM_STEPS = 300
_LEARNING_RATE = 0.3
_LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers that are linear in their weight, whose rows are output channels."""
_BatchNorm = nn.modules.batchnorm._BatchNorm


def check(source: str, model: nn.Module, context: Context) -> None:
    """Refuse a source of examples that this network or its inputs do not allow.

    Raises:
        ValueError: there is no batch norm that remembers statistics, or inputs are no real numbers.
    """
    if source == "batch_norm" and not _remembering(model):
        raise ValueError("calibration is 'batch_norm', but the network has no batch norm: use 'real' or 'gaussian'")
    inputs = few(context.train, 1).inputs
    if source != "real" and not all(one.is_floating_point() for one in leaves(inputs)):
        raise ValueError(f"calibration is {source!r}, but inputs are {type_text(inputs)}, not real numbers: use 'real'")


def examples(source: str, model: nn.Module, context: Context, most: int = NUM_EXAMPLES) -> Tree:
    """Calibration inputs (at most ``most``, ...); random ones come from torch's global generator.

    Args:
        source: ``real``: training examples, evenly spaced; ``gaussian``: noise with the mean and the standard deviation
            of each channel of those; ``batch_norm``: made from the network alone, see ``synthesised``.
        model: the trained plain network.
        context: of the trial.
        most: how many.
    """
    numbers = torch.arange(0, context.num_train, -(-context.num_train // most))
    real = moved_to(context.train.take(numbers).inputs, context.device)
    if source == "real":
        return real
    noise = mapped(lambda one: torch.randn(most, *one.shape[1:], dtype=one.dtype, device=one.device), real)
    if source == "batch_norm":
        return synthesised(model, noise)
    each = iter(list(leaves(real)))
    return mapped(lambda one: _as_spread_as(next(each), one), noise)


def _as_spread_as(real: Tensor, noise: Tensor) -> Tensor:
    variance, mean = torch.var_mean(real, dim=_all_but_channels(real), correction=0, keepdim=True)
    return mean + variance.sqrt() * noise


def synthesised(model: nn.Module, noise: Tree) -> Tree:
    """Inputs, found from ``noise``, on which the batch norms of ``model`` see the statistics that they remember.

    The sum, over batch norms and their channels, of D_KL(N(m, s^2) || N(m', s'^2)) is minimised over the inputs by
    Adam, where m and s are a channel's running mean and standard deviation, m' and s' those of the batch.

    Reference:
        Haroush, Hubara, Hoffer, Soudry 2020, "The Knowledge Within: Methods for Data-Free Model Compression", CVPR
        2020, arXiv 1912.01274, BN-Statistics.
    """
    divergences: list[Tensor] = []
    handles = [
        norm.register_forward_pre_hook(lambda norm, args: divergences.append(_divergence(norm, *args)))
        for norm in _remembering(model)
    ]
    made = mapped(lambda one: one.clone().requires_grad_(), noise)
    found = list(leaves(made))
    adam = torch.optim.Adam(found, lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=_NUM_STEPS)
    try:
        with evaluating(model):
            for _ in range(_NUM_STEPS):
                divergences.clear()
                with torch.enable_grad():
                    call(model, copied(made))  # the network may write to it
                    loss = sum(divergences, start=found[0].new_zeros(()))
                for one, gradient in zip(found, torch.autograd.grad(loss, found, allow_unused=True), strict=True):
                    one.grad = gradient
                adam.step()
                schedule.step()
    finally:
        for handle in handles:
            handle.remove()
    return mapped(lambda one: one.detach(), made)


def _divergence(norm: _BatchNorm, inputs: Tensor) -> Tensor:
    """The divergence at one norm in nats, scalar, summed over channels; variances get ``eps``, as in the norm."""
    running_mean, running_var = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var) + norm.eps
    variance, mean = torch.var_mean(inputs, dim=_all_but_channels(inputs), correction=0)
    variance = variance + norm.eps
    return 0.5 * ((variance / running_var).log() + (running_var + (mean - running_mean) ** 2) / variance - 1).sum()


def _remembering(model: nn.Module) -> list[_BatchNorm]:
    """Batch norms with running statistics."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]


def _all_but_channels(tensor: Tensor) -> list[int]:
    """All axes but the second, which is that of channels."""
    return [axis for axis in range(tensor.ndim) if axis != 1]


class OutputError:
    """The squared errors of a layer's outputs that errors in its weights cause; all other layers stay as they are."""

    def __init__(self, layer: nn.Module, inputs: list[tuple[Tensor, ...]]) -> None:
        """``inputs``: the arguments of each call of ``layer``."""
        self._layer, self._inputs = layer, inputs

    def __call__(self, difference: Tensor) -> Tensor:
        """The squared error of each output channel (outputs, 1), summed over examples and positions.

        ``difference``: the error of the weights. The layer is linear in its weights, so its outputs with these as
        weights, and without a bias, are the error.
        """
        zeros = {
            name: torch.zeros_like(parameter, dtype=difference.dtype)
            for name, parameter in self._layer.named_parameters()
        }
        channel = -1 if isinstance(self._layer, nn.Linear) else 1
        errors = torch.zeros(len(difference), dtype=difference.dtype, device=difference.device)
        for args in self._inputs:
            inputs = tuple(arg.to(difference.dtype) for arg in args)
            outputs = functional_call(self._layer, {**zeros, "weight": difference}, inputs)
            errors += outputs.movedim(channel, 0).flatten(1).square().sum(1)
        return errors.unsqueeze(1)


@torch.no_grad()
def output_errors(model: nn.Module, inputs: Tree) -> Iterator[tuple[str, OutputError]]:
    """Yield (name of the weight, its error) for each fully connected or convolutional layer that is called.

    Layers whose weight another module has as well are left out: their outputs are not all that it makes.
    They come one at a time: the inputs of all layers together may not fit in memory.
    """
    owners = Counter(id(parameter) for module in model.modules() for parameter in module._parameters.values())
    for prefix, layer in model.named_modules():
        if isinstance(layer, _LINEAR) and "weight" in layer._parameters and owners[id(layer.weight)] == 1:
            with evaluating(model):
                seen = _inputs_of(layer, model, inputs)
            if seen:
                yield f"{prefix}.weight" if prefix else "weight", OutputError(layer, seen)


def _inputs_of(layer: nn.Module, model: nn.Module, inputs: Tree) -> list[tuple[Tensor, ...]]:
    """The arguments of each call of ``layer``."""
    seen: list[tuple[Tensor, ...]] = []
    handle = layer.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(tuple(arg.clone() for arg in (*args, *kwargs.values()))), with_kwargs=True
    )
    try:
        call(model, copied(inputs))  # the network may write to it
    finally:
        handle.remove()
    return seen
