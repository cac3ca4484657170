"""What a level of compression does to a network: how many weights, bits, units and blocks stay."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers import checks
from trainers.hidden_units import UnitGroup, removable
from trainers.methods.parts.quantisers import QUANTISERS
from trainers.methods.parts.steps import exact, wide
from trainers.methods.parts.structured import without_units

DEFAULT_LEVELS: dict[str, tuple[float, ...]] = {
    "unstructured": (0.025, 0.05, 0.1, 0.2, 0.5, 1.0),
    "quantised": (3, 4, 5, 6, 7, 8),
    "structured": (0.25, 0.5, 0.75, 1.0),
    "blocks": (0.25, 0.5, 0.75, 1.0),
}
"""By kind of compression, the most compressed first: share of weights kept, bits of a weight, share of units kept,
share of branches and of their units kept."""
KINDS = tuple(DEFAULT_LEVELS)
NARROWED = ("structured", "blocks")
"""The kinds that leave a smaller network."""


def check_levels(kind: str, levels: Any, *, at_least: int) -> None:
    """Refuse levels that are too few, no numbers of the kind, or not in order.

    Raises:
        ValueError: in one line.
    """
    if isinstance(levels, str) or not isinstance(levels, Sequence) or not at_least <= len(levels) <= 32:
        example = list(DEFAULT_LEVELS[kind][:2])
        raise ValueError(
            f"levels is {levels!r}: wanted 'default' or a list of {at_least} to 32 numbers, such as {example}; in a "
            f"sweep, where lists are choices, [{example}]"
        )
    for index, level in enumerate(levels):
        if kind == "quantised":
            checks.integer(f"levels[{index}]", level, low=2, high=8)
        else:
            checks.number(f"levels[{index}]", level, low=0, high=1, above=True)
    stored = np.array(levels, np.float16)
    named = {f"{level:g}" for level in levels}
    if not stored[0] or (np.diff(stored) <= 0).any() or len(named) < len(levels):
        raise ValueError(
            f"levels is {list(levels)!r}: wanted each once, the most compressed first, and told apart by float16"
        )


def position(kind: str, level: float, levels: Sequence[float]) -> float:
    """Where a level lies on the line of networks: 0 for the most compressed, 1 for the least.

    Along the line, a share of weights grows geometrically, and the other kinds of level grow linearly.
    """
    low, high = levels[0], levels[-1]
    if low == high:
        return 1.0
    return math.log(level / low) / math.log(high / low) if kind == "unstructured" else (level - low) / (high - low)


def compress(
    kind: str, parameters: Mapping[str, Tensor], weights: Collection[str], amount: float, groups: Sequence[UnitGroup]
) -> dict[str, Tensor]:
    """Compress ``parameters`` to an amount: all of them are narrowed, or those in ``weights`` are pruned or rounded.

    Args:
        kind: one of ``KINDS``.
        parameters: tensors by name.
        weights: the names of those that are pruned or rounded; the others are few and sensitive.
        amount: a share of weights, a number of bits or a share of units, as a level is.
        groups: the units (``trainers.architectures.graph``): hidden ones for ``structured``, branches too for
            ``blocks``.
    """
    if kind == "structured":
        return narrow(parameters, removable(groups), amount)
    if kind == "blocks":
        return shorten(narrow(parameters, removable(groups), amount), groups, amount)
    if kind == "unstructured":
        return {name: prune(values, amount) if name in weights else values for name, values in parameters.items()}
    return {**parameters, **quantise({name: parameters[name] for name in parameters if name in weights}, int(amount))}


def prune(weight: Tensor, share: float) -> Tensor:
    """``weight`` with all but the largest ``share`` of its values set to zero; only those kept have a gradient.

    Their number is rounded, and one at least. Of equal magnitudes the first are kept.
    """
    count = max(1, round(share * weight.numel()))
    if count >= weight.numel():
        return weight
    magnitudes = weight.detach().abs().reshape(-1)
    smallest = magnitudes.topk(count, sorted=False).values.min()
    kept, equal = magnitudes > smallest, magnitudes == smallest
    kept |= equal & (equal.cumsum(0) <= count - kept.sum())  # which of equal ones topk takes is not defined
    return weight * kept.view(weight.shape)


def rounded(weights: Mapping[str, Tensor], bits: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Each weight's whole numbers and their step, scalar and as files hold it: ``spread_step`` times the weight's root
    mean square."""
    quantiser = QUANTISERS[bits]
    values = {name: wide(weight.detach()) for name, weight in weights.items()}
    steps = exact(
        [
            quantiser.spread_step * one.square().mean().sqrt() if one.numel() else one.new_ones(())
            for one in values.values()
        ]
    )
    return {
        name: ((one / step).round().clamp(-quantiser.q_n, quantiser.q_p), step)
        for (name, one), step in zip(values.items(), steps, strict=True)
    }


def quantise(weights: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """Exactly the weights that ``rounded`` stands for; gradients pass straight through."""
    found = {name: (whole * step).to(weights[name].dtype) for name, (whole, step) in rounded(weights, bits).items()}
    return {name: values + (weights[name] - weights[name].detach()) for name, values in found.items()}


def narrow(parameters: Mapping[str, Tensor], groups: Sequence[UnitGroup], width: float) -> dict[str, Tensor]:
    """``parameters`` without the hidden units that are not among the first ceil(width n) of their group's n."""
    num_kept = [_num_kept(width, group.num_units) for group in groups]
    kept = [torch.arange(group.num_units) < count for group, count in zip(groups, num_kept, strict=True)]
    return without_units(parameters, groups, kept)


def shorten(parameters: Mapping[str, Tensor], groups: Sequence[UnitGroup], depth: float) -> dict[str, Tensor]:
    """``parameters`` without the branches that are not among the first ceil(depth n) of the network's n."""
    branches = [group for group in groups if group.is_branch]
    count = _num_kept(depth, len(branches))
    return without_units(parameters, branches, [torch.tensor([index < count]) for index in range(len(branches))])


def _num_kept(share: float, num: int) -> int:
    return math.ceil(round(share * num, 6))  # 0.55 * 20 is above 11
