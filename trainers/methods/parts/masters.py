"""Optimisers for parameters of any float dtype: those of 16 bits are updated through float32 copies.

The last place of a bfloat16 is coarser than most updates, and float16 does not hold the squares of small gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from trainers.methods.base import Groups

_KEY = "master"
"""The copies lie in the optimiser's state, so that checkpoints hold them."""


def adam(groups: Groups) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015) over parameter groups, as ``with_masters`` makes it."""
    return with_masters(partial(torch.optim.Adam, fused=True), groups)


def with_masters(
    make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer], groups: Groups
) -> torch.optim.Optimizer:
    """The optimiser that ``make`` makes over parameter groups, without parameters that are not floating point.

    Its own groups have the float32 copies in place of parameters of 16 bits, in the same order.
    """
    floats = [{**group, "params": [one for one in group["params"] if one.is_floating_point()]} for group in groups]
    masters = {
        one: nn.Parameter(one.detach().float(), requires_grad=one.requires_grad)
        for group in floats
        for one in group["params"]
        if one.dtype in (torch.float16, torch.bfloat16)
    }
    optimiser = make([{**group, "params": [masters.get(one, one) for one in group["params"]]} for group in floats])
    if masters:
        _connect(optimiser, masters)
    return optimiser


def _connect(optimiser: torch.optim.Optimizer, masters: Mapping[Tensor, Tensor]) -> None:
    @torch.no_grad()
    def take(*arguments: object) -> None:
        """Take the gradients, and whatever was written to a parameter since the last step."""
        for parameter, master in masters.items():
            master.grad = None if parameter.grad is None else parameter.grad.float()
            is_same = master.to(parameter.dtype) == parameter
            master.copy_(torch.where(is_same, master, parameter.float()))

    @torch.no_grad()
    def give(*arguments: object) -> None:
        for parameter, master in masters.items():
            parameter.copy_(master)
            parameter.grad = None  # the optimiser does not know it
            if master.grad is not None:  # SGD without momentum has no other state
                optimiser.state[master][_KEY] = master.detach()

    @torch.no_grad()
    def restore(*arguments: object) -> None:
        for master in masters.values():
            if master in optimiser.state:
                master.copy_(optimiser.state[master][_KEY])

    optimiser.register_step_pre_hook(take)
    optimiser.register_step_post_hook(give)
    optimiser.register_load_state_dict_post_hook(restore)
