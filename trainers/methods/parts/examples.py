"""A few training examples, evenly spaced over the split, by which a method looks at a network."""

from __future__ import annotations

import torch

from trainers.methods.base import Batch, Context


def evenly_spaced(context: Context, most: int) -> Batch:
    """At most ``most`` training examples (inputs, targets), evenly spaced, without augmentation; nothing is drawn."""
    stride = -(-context.num_train // most)
    inputs, targets, seen = [], [], 0
    for batch_inputs, batch_targets in context.batches("train"):
        chosen = slice(-seen % stride, None, stride)
        inputs.append(batch_inputs[chosen])
        targets.append(batch_targets[chosen])
        seen += len(batch_inputs)
    return torch.cat(inputs), torch.cat(targets)
