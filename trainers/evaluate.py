"""The one evaluator: the quality of a network on a split of a task."""

from __future__ import annotations

import torch
from torch import nn

from trainers.tasks.base import Split, Task

_BATCH_SIZE = 1000


def evaluate(model: nn.Module, split: Split, task: Task) -> float:
    """Measure the task's quality of ``model``, in evaluation mode, on all of ``split``, which may be on any device."""
    device = next((parameter.device for parameter in model.parameters()), split.inputs.device)
    was_training = model.training
    model.eval()
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(split), _BATCH_SIZE):
            chosen = slice(start, start + _BATCH_SIZE)  # copied: a network may write to its input, and others share it
            inputs, targets = (part[chosen].to(device, copy=True) for part in (split.inputs, split.targets))
            total += float(task.score(model(inputs), targets).sum())
    model.train(was_training)
    return task.quality_of(total / len(split))
