"""Multi-layer perceptron with ReLU."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import nn

from trainers import checks
from trainers.architectures.base import initialise


def mlp(*, input_shape: Sequence[int], num_outputs: int, hidden: Sequence[int] = (300, 100)) -> nn.Module:
    """Fully connected layers of ``hidden`` units each, then one of ``num_outputs``; inputs are flattened."""
    checks.integers("input_shape", input_shape, low=1, high=1 << 20, max_length=4)
    checks.integer("num_outputs", num_outputs, low=1, high=1 << 20)
    checks.integers("hidden", hidden, low=1, high=1 << 20, max_length=64)
    widths = [math.prod(input_shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for num_in, num_out in itertools.pairwise(widths):
        layers += [nn.Linear(num_in, num_out), nn.ReLU()]
    return initialise(nn.Sequential(*layers, nn.Linear(widths[-1], num_outputs)))
