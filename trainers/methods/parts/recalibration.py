"""Batch-norm statistics, measured anew after the weights before the norms have changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from trainers.methods.base import Context
from trainers.networks.calling import call
from trainers.networks.modes import keeping_modes
from trainers.trees import moved_to

_NUM_EXAMPLES = 4096
_CONSTANT = 1e-3
"""A channel whose variance is below this many times the norm's epsilon is constant, up to rounding."""
_BatchNorm = nn.modules.batchnorm._BatchNorm


def remembering(model: nn.Module) -> dict[str, _BatchNorm]:
    """The batch norms with running statistics, by the prefix of their tensors' names."""
    return {
        f"{prefix}." if prefix else "": module
        for prefix, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    }


@torch.no_grad()
def recalibrate(model: nn.Module, context: Context, num_examples: int = _NUM_EXAMPLES) -> None:
    """Set running statistics to their means over evenly spaced training batches, of at most ``num_examples`` examples.

    Nothing is drawn at random, and only batch norms are in training mode: there is no dropout. Norms that stay in
    evaluation mode while the network trains keep their statistics. A network without others is left alone. At least one
    batch is used, whatever its size.
    """
    with keeping_modes(model):
        norms = [norm for norm in remembering(model.train()).values() if norm.training]
        if norms:
            _measure(model, norms, context, num_examples)


def _measure(model: nn.Module, norms: Sequence[_BatchNorm], context: Context, num_examples: int) -> None:
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches weigh the same
        norm.train()
    batch_size = min(context.batch_size, context.num_train)
    num_batches = context.num_train // batch_size  # a last, smaller one would count as much as the others
    stride = -(-num_batches * batch_size // num_examples)
    for index in range(0, num_batches, stride):
        numbers = torch.arange(index * batch_size, (index + 1) * batch_size)
        call(model, moved_to(context.train.take(numbers).inputs, context.device))
    for norm in norms:
        # the variance of a constant does not matter, but folding would make it an enormous scale
        running_var = cast(Tensor, norm.running_var)
        running_var[running_var < _CONSTANT * norm.eps] = 1
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
