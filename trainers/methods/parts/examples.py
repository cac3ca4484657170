"""A few training examples, by which a method looks at a network."""

from __future__ import annotations

import torch

from trainers.data.examples import Batch
from trainers.methods.base import Context
from trainers.seeding import derive
from trainers.trees import moved_to


def drawn(context: Context, most: int) -> Batch:
    """At most ``most`` training examples, drawn without replacement, the same in all trainings.

    Evenly spaced ones would lie on one line where examples are the pixels of an image.
    """
    generator = torch.Generator().manual_seed(derive(0, "examples"))
    chosen = torch.randperm(context.num_train, generator=generator)[:most].sort().values
    return Batch(*moved_to(context.train.take(chosen), context.device))
