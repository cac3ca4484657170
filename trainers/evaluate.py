"""The one evaluator: the quality of a network on a split of a task."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trainers.networks.comparison import tensors_in
from trainers.networks.modes import evaluating
from trainers.tasks.base import Split, Task

_FEW = 16
"""The examples that almost always show it."""
_SAME = 1e-6
"""Outputs that are no further apart, in units of themselves or of the median, are the same: sums may be taken in
another order."""


def evaluate(
    model: nn.Module, split: Split, task: Task, *, seen: Callable[[int, Any], None] = lambda start, outputs: None
) -> float:
    """Measure the task's quality of ``model``, in evaluation mode, on all of ``split``, which may be on any device.

    ``seen`` is shown what the network returns for each batch, with the index of the batch's first example.
    """
    device = next((parameter.device for parameter in model.parameters()), split.inputs.device)
    total = 0.0
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(split), task.evaluation_batch_size):
            chosen = slice(start, start + task.evaluation_batch_size)
            # copied: a network may write to its input, and others share it
            inputs, targets = (part[chosen].to(device, copy=True) for part in (split.inputs, split.targets))
            outputs = model(inputs)
            total += float(task.score(outputs, targets).sum())
            seen(start, outputs)
    return task.quality_of(total / len(split))


def is_constant(model: nn.Module, split: Split, task: Task) -> bool:
    """Whether the outputs of ``model``, in evaluation mode, are the same for all examples of ``split``.

    Such a network was destroyed. A few examples usually show that outputs vary; a split of one example shows nothing,
    and counts as not constant.
    """
    device = next((parameter.device for parameter in model.parameters()), split.inputs.device)
    with evaluating(model), torch.inference_mode():
        first: list[Tensor] = []
        ends = [0, *range(_FEW, len(split), task.evaluation_batch_size), len(split)]
        for start, end in itertools.pairwise(ends):
            outputs = model(split.inputs[start:end].to(device, copy=True))
            tensors = [tensor for tensor in tensors_in(outputs) if tensor.ndim]
            if not tensors or any(len(tensor) != end - start for tensor in tensors):
                return False  # not an output for each example: nothing shows
            first = first or [tensor[:1].clone() for tensor in tensors]
            if any(_differs(tensor, one) for tensor, one in zip(tensors, first, strict=True)):
                return False
    return len(split) > 1


def _differs(outputs: Tensor, one: Tensor) -> bool:
    if outputs.shape[1:] != one.shape[1:]:
        return True
    if not outputs.is_floating_point() or not outputs.numel():
        return bool((outputs != one).any())
    magnitude = outputs.abs()
    scale = torch.maximum(magnitude, one.abs()).clamp_min(magnitude.float().median().to(magnitude))
    return bool(((outputs - one).abs() > _SAME * scale).any())
