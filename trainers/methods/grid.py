"""A trained network at a grid of quantisation steps: what every method whose weights are floats stores.

All of them share these steps, this treatment of biases and norms, and the coder, so that what they differ in is the
training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from trainers import checks
from trainers.coding.sections import Section, Sections
from trainers.methods import backend

STEPS = (0.1, 0.25, 0.5, 1.0)
"""In units of the standard deviation of a tensor's nonzero values."""
_BIAS_STEP = 1 / 16
"""Of biases and of folded norms, which are few and sensitive, in the same unit."""


def check_steps(steps: Any) -> None:
    """Refuse a grid that is empty, repeats a step, or holds anything but positive numbers.

    Raises:
        ValueError: in one line.
    """
    if isinstance(steps, str) or not isinstance(steps, Sequence) or not 1 <= len(steps) <= 32:
        raise ValueError(f"steps is {steps!r}: wanted a list of 1 to 32 numbers, such as [0.25, 0.5]")
    for index, step in enumerate(steps):
        checks.number(f"steps[{index}]", step, low=0, high=16, above=True)
    if len(set(map(point_id, steps))) < len(steps):
        raise ValueError(f"steps is {list(steps)!r}: wanted each once")


def point_id(step: float) -> str:
    """Names the operating point of a step."""
    return f"step{step:g}"


def grid_points(
    plain: nn.Module, state: Mapping[str, Tensor], steps: Sequence[float]
) -> Iterator[tuple[str, Sections]]:
    """An operating point for each step; ``backend.dequantise`` decodes all of them.

    q = round(w / s), s = step * std(nonzero values of the tensor), one step and one frequency table for each weight
    tensor; zeros stay zeros. Batch norms are folded (``backend.fold_norms``). Biases and norms have finer steps of
    their own, which do not vary over the grid; buffers are stored as they are.

    Args:
        plain: the plain architecture.
        state: its ``state_dict``, whose zeros are what was pruned.
        steps: after ``check_steps``.
    """
    folded = backend.fold_norms(plain, state)
    values = {**state, **folded}
    norms, parameters = backend.norm_parameters(plain), dict(plain.named_parameters(remove_duplicate=False))
    for step in steps:
        sizes: list[np.float16] = []
        tensors: dict[str, Section] = {}
        for name in state:
            tensor = values[name]
            if name not in parameters:
                tensors[name] = backend.raw(tensor)
                continue
            is_weight = tensor.ndim >= 2 and name not in norms
            size = _step_of(name, tensor, step if is_weight else _BIAS_STEP)
            tensors[name] = backend.integers((tensor.double() / float(size)).round(), table=len(sizes))
            sizes.append(size)
        yield point_id(step), Sections(tensors=tensors, vectors=(np.array(sizes, np.float16),))


def _step_of(name: str, tensor: Tensor, fraction: float) -> np.float16:
    """A positive float16; 1 where all is zero."""
    nonzero = tensor[tensor != 0].double()
    if not len(nonzero):
        return np.float16(1)
    # of one value, or of equal ones, the standard deviation says nothing
    spread = float(nonzero.std()) if len(nonzero) > 1 else 0.0
    unit = spread if spread > 1e-3 * float(nonzero.abs().max()) else float(nonzero.abs().mean())
    with np.errstate(over="ignore"):
        size = np.float16(fraction * unit)
    if not np.isfinite(size):
        raise ValueError(f"cannot quantise {name!r}: its values have a spread of {unit:g}, beyond float16")
    return size if size > 0 else np.finfo(np.float16).smallest_subnormal
