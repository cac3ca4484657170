"""A trained network at a grid of quantisation steps: what every method whose weights are floats stores.

These methods share the steps, the treatment of biases and norms, and the coder, so that they differ in their training
alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from trainers import checks
from trainers.coding.sections import Section, Sections
from trainers.divergence import DivergedError
from trainers.methods.base import Context
from trainers.methods.parts import backend
from trainers.networks.norms import fold_norms

STEPS = (0.1, 0.25, 0.5, 1.0)
"""In units of the standard deviation of a tensor's nonzero values."""
BIAS_STEP = 1 / 16
"""The step of biases, which are few and sensitive, in the same unit."""
NORM_STEP = 1 / 32
"""The step of folded norms, as a ``fraction`` of ``backend.norm_step``."""


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
    context: Context, state: Mapping[str, Tensor], steps: Sequence[float], factors: Sequence[Tensor] = ()
) -> Iterator[tuple[str, Sections]]:
    """Yield an operating point for each step; ``backend.dequantise`` decodes all of them.

    q = round(w / s), s = step * std(nonzero values of the tensor), one step and one frequency table for each weight
    tensor; zeros stay zeros. Batch norms are folded (``norms.fold_norms``); their scales share a step and a table,
    and so do their shifts. Norms and biases have finer steps, which do not vary over the grid; buffers are stored as
    they are.

    Args:
        context: of the trial.
        state: the network's ``state_dict``, zero where weights were pruned, without what the method makes of factors.
        steps: such as ``check_steps`` accepts.
        factors: matrices, which are rounded as weights are.
    """
    for step in steps:
        weights = {
            name: in_steps(name, state[name], step) for name in backend.weight_names(context.plain) if name in state
        }
        rounded = [in_steps(f"factor {index}", factor, step) for index, factor in enumerate(factors)]
        yield point_id(step), store(context, state, weights, rounded)


Rounded = tuple[Tensor, npt.NDArray[np.float16]]
"""Whole numbers, and their step (1,) or one for each row (index of the first axis)."""


def store(
    context: Context, state: Mapping[str, Tensor], weights: Mapping[str, Rounded], factors: Sequence[Rounded] = ()
) -> Sections:
    """The sections of a network whose weights are rounded already; everything else is as in ``grid_points``.

    ``backend.dequantise`` decodes them, with ``by_row`` if weights have a step for each row.

    Args:
        context: of the trial.
        state: the network's ``state_dict``, without what the method makes of factors.
        weights: the rounded form of each of ``backend.weight_names`` in ``state``.
        factors: in rounded form, with one step each.
    """
    folded = fold_norms(context.folded_norms, state)
    values = {**state, **folded}
    parameters = dict(context.plain.named_parameters())
    norms = {name: f"norm {name.rpartition('.')[2]}" for name in folded if name in parameters}
    norm_steps = {
        f"norm {kind}": backend.norm_step(context.folded_norms, state, folded, kind, NORM_STEP)
        for kind in ("weight", "bias")
    }
    rounded = {
        name: weights[name]
        if name in weights
        else rounded_at(name, values[name], float(norm_steps[norms[name]]))
        if name in norms
        else in_steps(name, values[name], BIAS_STEP)
        for name in state
        if name in parameters
    }
    keys = {name: norms.get(name, name) for name in rounded}  # tensors of one key share a table
    scalar = {keys[name]: steps[0] for name, (_, steps) in rounded.items() if len(steps) == 1}
    by_row = {keys[name]: steps for name, (_, steps) in rounded.items() if len(steps) > 1}
    called = [f"factor {index}" for index in range(len(factors))]
    tables = {key: table for table, key in enumerate([*scalar, *called, *by_row])}
    vectors = {key: vector for vector, key in enumerate(by_row, start=1)}
    tensors: dict[str, Section] = {
        name: backend.integers(rounded[name][0], table=tables[keys[name]], row_vector=vectors.get(keys[name]))
        if name in rounded
        else backend.raw(values[name])
        for name in state
    }
    steps_of_tables = [*scalar.values(), *(steps[0] for _, steps in factors)]
    return Sections(
        tensors=tensors,
        vectors=(np.array(steps_of_tables, np.float16), *by_row.values()),
        factors=tuple(
            backend.integers(values, table=tables[name]) for name, (values, _) in zip(called, factors, strict=True)
        ),
    )


def rounded_at(name: str, tensor: Tensor, size: float) -> Rounded:
    """``tensor`` in multiples of the positive float16 that is nearest to ``size``.

    Raises:
        DivergedError: ``size`` is NaN, infinite or beyond float16.
    """
    with np.errstate(over="ignore"):
        step = np.float16(size)
    if not np.isfinite(step):
        raise DivergedError(f"cannot quantise {name!r}: its step {size:g} is NaN, infinite or beyond float16")
    if step == 0:
        step = np.finfo(np.float16).smallest_subnormal
    return (tensor.double() / float(step)).round(), np.array([step])


def in_steps(name: str, tensor: Tensor, fraction: float) -> Rounded:
    """``tensor`` in steps of a fraction of its nonzero values' standard deviation; the step of zeros is 1.

    Raises:
        DivergedError: ``tensor`` is not finite; one line calls it ``name``.
    """
    nonzero = tensor[tensor != 0].double()
    if not len(nonzero):
        return rounded_at(name, tensor, 1.0)
    # the standard deviation of one value, or of equal ones, says nothing
    spread = float(nonzero.std()) if len(nonzero) > 1 else 0.0
    unit = spread if spread > 1e-3 * float(nonzero.abs().max()) else float(nonzero.abs().mean())
    return rounded_at(name, tensor, fraction * unit)
