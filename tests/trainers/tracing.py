"""Tracing of networks that take one tensor, of which a test says the shape."""

import torch

from trainers.architectures import graph
from trainers.hidden_units import movable


def all_groups(plain, input_shape, dtype=torch.float32):
    return graph.unit_groups(plain, torch.empty(1, *input_shape, dtype=dtype, device="meta"))


def unit_groups(plain, input_shape, dtype=torch.float32):
    """The hidden units that may be moved."""
    return movable(all_groups(plain, input_shape, dtype))
