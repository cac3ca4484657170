"""A trained network at a grid of quantisation steps: what every method whose weights are floats stores.

These methods share the steps, the treatment of biases and norms, and the coder, so that they differ in their training
alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Section, Sections
from trainers.divergence import DivergedError
from trainers.methods.base import Context
from trainers.methods.parts import backend
from trainers.methods.parts.folded_norms import folded_norms
from trainers.methods.parts.steps import Steps, level, steps_of, times_power
from trainers.methods.parts.weight_settings import Tensors, skipped_names, step_of

STEPS = (0.1, 0.25, 0.5, 1.0)
"""In units of the standard deviation of a tensor's nonzero values."""
BIAS_STEP = 1 / 16
"""The step of biases, which are few and sensitive, in the same unit."""
RECURRENT_BIAS_STEP = 1 / 256
"""The step of biases that are added at every step of time, where their errors add up."""
NORM_STEP = 1 / 32
"""The step of folded norms, as the ``fraction`` of ``folded_norms.py``."""
_MOST_WHOLE = 2e9
"""The largest whole number, which int32 holds: steps are rounded after they are chosen so that none is larger."""


def check_steps(steps: Any) -> None:
    """Refuse a grid of steps that is empty, repeats one, or holds anything but positive numbers.

    Raises:
        ValueError: in one line.
    """
    check_grid("steps", steps, high=16, example="[0.25, 0.5]")


def check_grid(name: str, values: Any, *, high: float, example: str) -> None:
    """Refuse anything but a list of distinct numbers above 0 and up to ``high``.

    Raises:
        ValueError: in one line.
    """
    if isinstance(values, str) or not isinstance(values, Sequence) or not 1 <= len(values) <= 32:
        raise ValueError(
            f"{name} is {values!r}: wanted a list of 1 to 32 numbers, such as {example}; in a sweep, where lists are "
            f"choices, [{example}]"
        )
    for index, value in enumerate(values):
        checks.number(f"{name}[{index}]", value, low=0, high=high, above=True)
    if len({f"{value:g}" for value in values}) < len(values):
        raise ValueError(f"{name} is {list(values)!r}: wanted each once")


def point_id(step: float) -> str:
    """The id of the operating point of a step."""
    return f"step{step:g}"


def grid_points(
    context: Context,
    state: Mapping[str, Tensor],
    steps: Sequence[float],
    factors: Mapping[str, Tensor] = MappingProxyType({}),
    tensors: Tensors = MappingProxyType({}),
) -> Iterator[tuple[str, Sections]]:
    """Yield an operating point for each step; ``backend.dequantise`` decodes all of them.

    q = round(w / s), s = step * std(nonzero values of the tensor), one step and one frequency table for each weight
    tensor; zeros stay zeros. Batch norms are folded (``folded_norms.py``); their scales share a step and a table, and
    so do their shifts. Norms and biases have finer steps, which do not vary over the grid; buffers, and parameters that
    are not floating point, are stored as they are.

    Args:
        context: of the trial.
        state: the network's ``state_dict``, zero where weights were pruned, without what the method makes of factors.
        steps: such as ``check_steps`` accepts.
        factors: matrices, which are rounded as weights are, by the name of what is made of them.
        tensors: ``step``, of a weight or of the factor that it is made of, or ``skip`` (``weight_settings.py``).
    """
    kept = skipped_names(context.plain, tensors)
    names = [name for name in backend.weight_names(context.plain) - kept if name in state]
    for step in steps:
        weights = {name: in_steps(name, state[name], step_of(tensors, name, step)) for name in names}
        rounded = [in_steps(f"a factor of {name}", one, step_of(tensors, name, step)) for name, one in factors.items()]
        yield point_id(step), store(context, state, weights, rounded, kept)


Rounded = tuple[Tensor, Steps]
"""Whole numbers, and their step, or one for each row (index of the first axis)."""


def store(
    context: Context,
    state: Mapping[str, Tensor],
    weights: Mapping[str, Rounded],
    factors: Sequence[Rounded] = (),
    kept: Collection[str] = (),
) -> Sections:
    """The sections of a network whose weights are rounded already; everything else is as in ``grid_points``.

    ``backend.dequantise`` decodes them, with ``by_row`` if weights have a step for each row.

    Args:
        context: of the trial.
        state: the network's ``state_dict``, without what the method makes of factors.
        weights: the rounded form of each of ``backend.weight_names`` in ``state``, but for ``kept``.
        factors: in rounded form, with one step each.
        kept: the names of weights that are stored as float16.
    """
    folded, norm_steps = folded_norms(context, state, NORM_STEP)
    values = {**state, **folded}
    parameters = {name for name, parameter in context.plain.named_parameters() if parameter.is_floating_point()}
    recurrent = _recurrent_biases(context.plain)
    rounded = {
        name: weights[name]
        if name in weights
        else (whole(values[name], norm_steps[name]), norm_steps[name])
        if name in norm_steps
        else in_steps(name, values[name], RECURRENT_BIAS_STEP if name in recurrent else BIAS_STEP)
        for name in state
        if name in parameters and name not in kept
    }
    # tensors of one key share a table
    keys = {name: f"norm {name.rpartition('.')[2]}" if name in norm_steps else name for name in rounded}
    scalar = {keys[name]: steps.numbers[0] for name, (_, steps) in rounded.items() if len(steps.numbers) == 1}
    by_row = {keys[name]: steps.numbers for name, (_, steps) in rounded.items() if len(steps.numbers) != 1}
    called = [f"factor {index}" for index in range(len(factors))]
    tables = {key: table for table, key in enumerate([*scalar, *called, *by_row])}
    vectors = {key: vector for vector, key in enumerate(by_row, start=1)}

    def section(name: str) -> Section:
        if name in kept:
            return backend.half(values[name])
        if name not in rounded:
            return backend.raw(values[name])
        numbers, steps = rounded[name]
        table, vector = tables[keys[name]], vectors.get(keys[name])
        return backend.integers(numbers, table=table, row_vector=vector, exponent=steps.exponent)

    return Sections(
        tensors={name: section(name) for name in state},
        vectors=(
            np.array([*scalar.values(), *(steps.numbers[0] for _, steps in factors)], np.float16),
            *by_row.values(),
        ),
        factors=tuple(
            backend.integers(numbers, table=tables[name], exponent=steps.exponent)
            for name, (numbers, steps) in zip(called, factors, strict=True)
        ),
    )


def _recurrent_biases(network: nn.Module) -> set[str]:
    """The names of the biases of recurrent layers and cells."""
    layers = (module for module in network.modules() if isinstance(module, nn.RNNBase | nn.RNNCellBase))
    own = {id(one) for layer in layers for name, one in layer.named_parameters() if name.startswith("bias")}
    return {name for name, parameter in network.named_parameters() if id(parameter) in own}


def whole(tensor: Tensor, steps: Steps) -> Tensor:
    """``tensor`` in multiples of one step, rounded; its largest multiples are within its dtype."""
    size = float(steps.sizes[0])
    most = math.floor(min(torch.finfo(tensor.dtype).max / size, _MOST_WHOLE))
    return (tensor.double() / size).round().clamp(-most, most)


def step_at(name: str, tensor: Tensor, size: float) -> Steps:
    """The step that is nearest to ``size``, or the least with which int32 holds the multiples in ``tensor``.

    Raises:
        DivergedError: ``size`` is NaN or infinite.
    """
    if not math.isfinite(size):
        raise DivergedError(f"cannot quantise {name!r}: its step is NaN or infinite")
    largest = float(tensor.abs().max()) if tensor.numel() else 0.0
    return steps_of(max(size, largest / _MOST_WHOLE))


def rounded_at(name: str, tensor: Tensor, size: float) -> Rounded:
    """``tensor`` in multiples of ``step_at``, which says what it raises."""
    steps = step_at(name, tensor, size)
    return whole(tensor, steps), steps


def in_steps(name: str, tensor: Tensor, fraction: float) -> Rounded:
    """``tensor`` in steps of a fraction of its nonzero values' standard deviation; the step of zeros is 1.

    Raises:
        DivergedError: ``tensor`` is not finite; one line calls it ``name``.
    """
    nonzero = tensor[tensor != 0].double()
    if not len(nonzero):
        return rounded_at(name, tensor, 1.0)
    exponent = level(nonzero)
    nonzero = times_power(nonzero, -exponent)
    # the standard deviation of one value, or of equal ones, says nothing
    spread = float(nonzero.std()) if len(nonzero) > 1 else 0.0
    unit = spread if spread > 1e-3 * float(nonzero.abs().max()) else float(nonzero.abs().mean())
    return rounded_at(name, tensor, float(times_power(torch.tensor(fraction * unit).double(), exponent)))
