"""Norms as files hold them: scales and shifts, batch norms one of each for each channel, and the steps of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from trainers.methods.base import Context
from trainers.methods.parts.steps import Steps, steps_of, times_power
from trainers.networks.norms import BatchNorm, fold_norms, norms_without_statistics

_KINDS = ("weight", "bias")
_SMALLEST_LAYER = 4
DEAD = 10
"""A channel whose variance is below this many times the norm's epsilon is taken for dead."""
_ORDINARY_LEAST, _ORDINARY_MOST = 2.0**-16, 2.0**10
"""Medians between these are those of an ordinary layer."""
_MOST_STEPS = 2.0**30
_MOST_SHIFTED = 0.5
"""A mean times a scale's step beyond this: rounding would shift a channel whose deviation is about 1."""
_MOST_MOVED = 0.25
"""Rounding may move a channel by no more than this share of the deviation of the layer's outputs."""
_MOST_CANCELLED = 2.0**20
"""A mean times a scale beyond this cancels in the shift, of which float32 keeps too little."""


def folded_norms(
    context: Context, state: Mapping[str, Tensor], fraction: float
) -> tuple[dict[str, Tensor], dict[str, Steps]]:
    """Fold batch norms, and choose the steps of all norms' scales and shifts: ``fraction`` of their median magnitude.

    The scales of all layers have a step in common, up to a power of two, and so have the shifts. A channel that is
    always zero has a running variance near zero and an enormous scale, which means nothing: such channels are left out,
    where there are others, and the median is not moved by those that come close. A layer whose own median is below a
    quarter of that of all layers, as behind inputs of large numbers, makes the step finer for all of them. A layer
    whose median is no ordinary number, as behind inputs of enormous numbers, is measured in a power of two near it.

    A norm is not folded if rounding would spoil it: its values lie too far apart for one step, or its means are so far
    from zero, or its outputs deviate so little, that the rounding of a scale or of a shift moves a channel far. A norm
    without statistics has no steps then.

    Args:
        context: of the trial.
        state: the network's ``state_dict``.
        fraction: positive.

    Returns:
        The entries of ``state`` that are rounded, and those that change; the step of each that is rounded, by name.
    """
    norms = context.folded_norms
    folded = fold_norms(norms, state)
    others = {
        prefix: [name for kind in _KINDS if (name := f"{prefix}{kind}") in state and state[name].is_floating_point()]
        for prefix in norms_without_statistics(context.plain)
    }
    folded |= {name: state[name] for names in others.values() for name in names}
    are_alive = _are_alive(norms, state)
    steps: dict[str, Steps] = {}
    for kind in _KINDS:
        values = {f"{prefix}{kind}": folded[f"{prefix}{kind}"][is_alive] for prefix, is_alive in are_alive.items()}
        values |= {name: state[name] for names in others.values() for name in names if name.endswith(kind)}
        steps |= _steps(values, fraction)
    spoilt = [prefix for prefix, norm in norms.items() if _is_spoilt(prefix, norm, state, folded, steps)]
    spoilt += [prefix for prefix, names in others.items() if _is_spoilt_without_statistics(names, state, steps)]
    for prefix in spoilt:
        folded = {name: values for name, values in folded.items() if name.rpartition(".")[0] != prefix[:-1]}
    return folded, {name: one for name, one in steps.items() if name in folded}


def _are_alive(norms: Mapping[str, BatchNorm], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Which channels of each batch norm are looked at."""
    are_alive = {prefix: state[f"{prefix}running_var"] > DEAD * norm.eps for prefix, norm in norms.items()}
    if any(is_alive.any() for is_alive in are_alive.values()):
        return are_alive
    return {prefix: torch.ones_like(is_alive) for prefix, is_alive in are_alive.items()}


def _steps(values: Mapping[str, Tensor], fraction: float) -> dict[str, Steps]:
    """The steps of tensors by their values that count."""
    magnitudes: list[Tensor] = []
    levels: dict[str, int] = {}
    for name, tensor in values.items():
        found = tensor.abs().flatten()
        found = found[found > 0]
        levels[name] = _level(found)
        magnitudes.append(times_power(found, -levels[name]))
    medians = [float(found.median()) for found in magnitudes if len(found)]
    step = 1.0
    if medians:
        step = fraction * min(float(torch.cat(magnitudes).median()), _SMALLEST_LAYER * min(medians))
    common = steps_of(step)
    return {name: replace(common, exponent=common.exponent + exponent) for name, exponent in levels.items()}


def _level(values: Tensor) -> int:
    """The exponent of the power of two in which a layer's values are measured."""
    median = float(values.median()) if len(values) else 1.0
    return 0 if _ORDINARY_LEAST <= median <= _ORDINARY_MOST else int(np.frexp(median)[1])


def _is_spoilt(
    prefix: str, norm: BatchNorm, state: Mapping[str, Tensor], folded: Mapping[str, Tensor], steps: Mapping[str, Steps]
) -> bool:
    scale = folded[f"{prefix}weight"].double()
    mean = state[f"{prefix}running_mean"].double().abs()
    if not len(mean):
        return False
    sizes = {kind: float(steps[f"{prefix}{kind}"].sizes[0]) for kind in _KINDS}
    num_steps = max(float(folded[f"{prefix}{kind}"].abs().max()) / sizes[kind] for kind in _KINDS)
    shifted, cancelled = float(mean.max()) * sizes["weight"], float((mean * scale).abs().max())
    if num_steps > _MOST_STEPS or shifted > _MOST_SHIFTED or cancelled > _MOST_CANCELLED:
        return True
    variance = state[f"{prefix}running_var"].double()
    is_alive = (variance > DEAD * norm.eps) & (scale != 0)
    if not is_alive.any():
        return False
    deviation = float((scale * variance.sqrt())[is_alive].square().mean().sqrt())
    off = {kind: _rounding(folded[f"{prefix}{kind}"].double(), sizes[kind]) for kind in _KINDS}
    moved = float((mean * off["weight"] + off["bias"])[is_alive].max())
    return moved > _MOST_MOVED * deviation


def _is_spoilt_without_statistics(
    names: Sequence[str], state: Mapping[str, Tensor], steps: Mapping[str, Steps]
) -> bool:
    """Outputs deviate by their scale, or by 1 where there is none."""
    scale, moved = 1.0, 0.0
    for name in names:
        values, size = state[name].double(), float(steps[name].sizes[0])
        if not values.numel():
            continue
        if float(values.abs().max()) / size > _MOST_STEPS:
            return True
        moved += float(_rounding(values, size).max())
        if name.endswith("weight"):
            scale = float(values.square().mean().sqrt())
    return scale > 0 and moved > _MOST_MOVED * scale


def _rounding(values: Tensor, step: float) -> Tensor:
    """How far values are from the nearest multiples of a step."""
    return (values - (values / step).round() * step).abs()
