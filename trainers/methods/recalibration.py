"""Statistics of batch norms, measured anew after the weights before them have changed."""

from __future__ import annotations

import torch
from torch import nn

from trainers.methods.base import Context

_NUM_EXAMPLES = 4096
_BatchNorm = nn.modules.batchnorm._BatchNorm


def remembering(model: nn.Module) -> dict[str, _BatchNorm]:
    """Batch norms with running statistics, by the prefix of their tensors' names."""
    return {
        f"{prefix}." if prefix else "": module
        for prefix, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    }


@torch.no_grad()
def recalibrate(model: nn.Module, context: Context) -> None:
    """Running statistics become means over training batches, evenly spaced, of ``_NUM_EXAMPLES`` examples or less.

    Nothing is drawn at random, and only batch norms are in training mode: there is no dropout.
    """
    norms = remembering(model).values()
    if not norms:
        return
    modes = {module: module.training for module in model.modules()}
    momenta = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # of all batches the same weight
        norm.train()
    seen = 0
    for index, (inputs, _) in enumerate(context.batches("train")):
        if index == 0:
            batch_size = len(inputs)
            num_batches = context.num_train // batch_size  # a last, smaller one would count as much as the others
            stride = max(1, -(-num_batches * batch_size // _NUM_EXAMPLES))
        if index % stride == 0 and len(inputs) == batch_size:
            model(inputs)
            seen += 1
    assert seen
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module, mode in modes.items():
        module.training = mode
