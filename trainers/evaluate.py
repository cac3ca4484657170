"""The one evaluator: the quality of a network on a split of a task."""

from __future__ import annotations

import torch
from torch import nn

from trainers.tasks.base import Split, Task

_BATCH_SIZE = 1000


def evaluate(model: nn.Module, split: Split, task: Task) -> float:
    """The task's quality of ``model``, in evaluation mode, over all of ``split``; both on one device."""
    was_training = model.training
    model.eval()
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(split), _BATCH_SIZE):
            outputs = model(split.inputs[start : start + _BATCH_SIZE])
            total += float(task.score(outputs, split.targets[start : start + _BATCH_SIZE]).sum())
    model.train(was_training)
    return task.quality_of(total / len(split))
