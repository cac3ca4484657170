"""A few training examples, by which a method looks at a network."""

from __future__ import annotations

import torch

from trainers.methods.base import Batch, Context
from trainers.seeding import derive


def drawn(context: Context, most: int) -> Batch:
    """At most ``most`` training examples (inputs, targets), drawn without replacement, the same in all trainings.

    Evenly spaced ones would lie on one line where examples are the pixels of an image.
    """
    generator = torch.Generator().manual_seed(derive(0, "examples"))
    chosen = torch.randperm(context.num_train, generator=generator)[:most].sort().values
    inputs, targets, seen = [], [], 0
    for batch_inputs, batch_targets in context.batches("train"):
        num = len(batch_inputs)
        here = (chosen[(chosen >= seen) & (chosen < seen + num)] - seen).to(batch_inputs.device)
        if len(here):
            inputs.append(batch_inputs[here])
            targets.append(batch_targets[here])
        seen += num
    return torch.cat(inputs), torch.cat(targets)
