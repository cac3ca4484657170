"""A subspace in one file: a line of networks, or one network for all levels of compression, decoded at a level."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Section, Sections
from trainers.hidden_units import UnitGroup, untouched
from trainers.methods.base import Context
from trainers.methods.parts import backend
from trainers.methods.parts.compression_levels import KINDS, NARROWED, check_levels, compress, position
from trainers.methods.parts.folded_norms import DEAD
from trainers.methods.parts.grid import BIAS_STEP, in_steps
from trainers.methods.parts.recalibration import recalibrate, remembering
from trainers.methods.parts.steps import wide
from trainers.networks.norms import batch_norms, fold_norms, is_folded
from trainers.networks.parametrizations import duplicate
from trainers.networks.tensors import frozen

_HALF = 2e-3
"""More than the relative error of a float16."""
_MOST_REMEMBERED = 2e4
"""Statistics may grow from the first batch on before they leave float16."""
_FARTHEST = 64
"""In deviations: float16 holds the mean of a channel to a thirtieth of its deviation, if it is no farther from zero."""


def statistics(plain: nn.Module, state: Mapping[str, Tensor]) -> list[Tensor]:
    """The running mean and standard deviation of each batch norm, one after the other."""
    return [
        values
        for prefix in remembering(plain)
        for values in (wide(state[f"{prefix}running_mean"]), wide(state[f"{prefix}running_var"]).sqrt())
    ]


def check_statistics(model: nn.Module, context: Context) -> None:
    """Refuse a network whose batch norms see numbers that float16 does not hold well enough; one batch tells.

    Raises:
        ValueError: in one line.
    """
    if not remembering(model):
        return
    tried = duplicate(model)
    recalibrate(tried, context, num_examples=1)
    found = statistics(tried, tried.state_dict())
    for (prefix, norm), mean, deviation in zip(remembering(tried).items(), found[::2], found[1::2], strict=True):
        largest = max([0.0, *mean.abs().tolist(), *deviation.tolist()])
        far = (mean.abs() / deviation)[deviation.square() > DEAD * norm.eps]
        if not largest <= _MOST_REMEMBERED or (far > _FARTHEST).any():
            seen = f"up to {largest:.3g}" if not largest <= _MOST_REMEMBERED else f"{far.max():.3g} deviations from 0"
            raise ValueError(
                f"batch norm {prefix[:-1]!r} sees numbers {seen}: wanted {_MOST_REMEMBERED:g} and {_FARTHEST} "
                "deviations at most, since the file of all levels has statistics as float16; scale and shift the inputs"
            )


def subspace_sections(
    context: Context,
    state: Mapping[str, Tensor],
    copies: Mapping[str, Sequence[Tensor]],
    *,
    kind: str,
    levels: Sequence[float],
    steps: Mapping[str, float],
    statistics: Sequence[Sequence[Tensor]],
) -> Sections:
    """The sections of a whole subspace.

    Every parameter of floats is stored as a factor: W0 as a matrix of outputs by inputs, above W1 if there is one, with
    one step for both: its own for a weight, and the step of all methods for biases and norms. Factors keep the order of
    hidden units, by which a level chooses them. The vectors are the steps; kind and levels; and each level's batch-norm
    statistics.

    Args:
        context: of the trial.
        state: the network's ``state_dict``, of which all but the parameters is stored.
        copies: W0, or W0 and W1, by the names of the parameters, each once.
        kind: the kind of compression.
        levels: in ascending order.
        steps: of each weight, in units of its standard deviation.
        statistics: for each level, what ``statistics`` returns.
    """
    parameters = {name for name, one in context.plain.named_parameters() if one.numel() and one.is_floating_point()}
    values = {**state, **fold_norms(context.folded_norms, state)}
    tensors: dict[str, Section] = {name: backend.raw(values[name]) for name in state if name not in parameters}
    stacked = {
        name: torch.cat([_matrix(values) for values in found]) for name, found in copies.items() if name in parameters
    }
    rounded = [in_steps(name, values, steps.get(name, BIAS_STEP)) for name, values in stacked.items()]
    remembered = [torch.cat([values.reshape(-1) for values in found]) for found in statistics if found]
    return Sections(
        tensors=tensors,
        vectors=(
            np.concatenate([steps.numbers for _, steps in rounded]),
            np.array([KINDS.index(kind), *levels], np.float16),
            *(backend.half(values).values.astype(np.float16) for values in remembered),
        ),
        factors=tuple(
            backend.integers(whole, table=table, exponent=steps.exponent)
            for table, (whole, steps) in enumerate(rounded)
        ),
    )


def decode_subspace(
    sections: Sections, plain: nn.Module, *, level: float | None = None, groups: Sequence[UnitGroup] = ()
) -> dict[str, Tensor]:
    """The network at a level, as a ``state_dict`` of the plain architecture.

    Args:
        sections: the sections of a file that holds a subspace.
        plain: the plain architecture on the meta device.
        level: a share of weights, a number of bits or a share of units, as in the file; default: the least compressed.
        groups: the hidden units (``trainers.architectures.graph``), needed to narrow a network.

    Raises:
        RfzError: the sections are not those of a subspace.
        ValueError: the file knows no such level.
    """
    kind, levels, remembered = _settings(sections, plain)
    wanted = levels[-1] if level is None else _known(kind, levels, level, is_exact=bool(remembered))
    if kind in NARROWED and wanted != levels[-1] and not groups:
        raise ValueError(f"level is {wanted:g}: wanted the groups of hidden units as well, to narrow the network")
    shapes = {name: p.shape for name, p in plain.named_parameters() if p.numel() and name not in sections.tensors}
    factors = backend.dequantise_factors(sections)
    if len(factors) != len(shapes):
        raise RfzError(f"the file is malformed: {len(factors)} factors: wanted one for each of {list(shapes)}")
    a = position(kind, wanted, levels)
    line = {name: _at(a, factor, name, shapes[name]) for (name, factor) in zip(shapes, factors, strict=True)}
    if not (kind in NARROWED and wanted == levels[-1]):  # it is stored at this width
        kept = frozen(plain)
        line = compress(kind, line, backend.weight_names(plain) - kept, wanted, untouched(groups, kept))
    state = backend.dequantise(replace(sections, vectors=sections.vectors[:1]), plain, made=line)
    if remembered:
        folded = {prefix: norm for prefix, norm in batch_norms(plain).items() if is_folded(prefix, state)}
        state |= _statistics(remembered[levels.index(wanted)], plain)
        state |= fold_norms(folded, state)
    return state


def _matrix(values: Tensor) -> Tensor:
    return values.reshape(len(values) if values.ndim else 1, -1)


def _at(a: float, factor: Tensor, name: str, shape: torch.Size) -> Tensor:
    """W(a) from a factor that holds W0 above W1, or W0 alone."""
    rows = shape[0] if shape else 1
    columns = shape.numel() // rows
    if tuple(factor.shape) not in ((rows, columns), (2 * rows, columns)):
        raise RfzError(
            f"the file is malformed: a factor of shape {tuple(factor.shape)} for {name!r}: wanted one or two copies of "
            f"{(rows, columns)}"
        )
    start, end = factor[:rows], factor[-rows:]
    return ((1 - a) * start + a * end).reshape(shape)


def _settings(sections: Sections, plain: nn.Module) -> tuple[str, list[float], Sequence[npt.NDArray[np.float16]]]:
    """The kind, the levels, and each level's batch-norm statistics, if there are any."""
    if len(sections.vectors) < 2 or len(sections.vectors[1]) < 2:
        raise RfzError("the file is malformed: a subspace without levels")
    number, *levels = sections.vectors[1].astype(float).tolist()
    if number not in range(len(KINDS)):
        raise RfzError(f"the file is malformed: compression {number:g}: wanted 0 to {len(KINDS) - 1}")
    kind = KINDS[int(number)]
    levels = [int(level) if kind == "quantised" and level.is_integer() else level for level in levels]
    try:
        check_levels(kind, levels, at_least=1)
    except ValueError as error:
        raise RfzError(f"the file is malformed: {error}") from error
    remembered = sections.vectors[2:]
    num_values = sum(2 * norm.num_features for norm in remembering(plain).values())
    if [len(vector) for vector in remembered] != [num_values] * (len(levels) if num_values else 0):
        raise RfzError(
            f"the file is malformed: statistics of {[len(vector) for vector in remembered]} values: wanted "
            f"{num_values} for each of {len(levels)} levels"
        )
    return kind, levels, remembered


def _known(kind: str, levels: Sequence[float], level: float, *, is_exact: bool) -> float:
    """``level`` as the file has it.

    Raises:
        ValueError: the file knows no such level.
    """
    for stored in levels:
        if math.isclose(stored, level, rel_tol=_HALF):
            return stored
    if kind == "quantised" or is_exact:
        raise ValueError(
            f"level is {level!r}: wanted one of those of the file, {[float(f'{one:.3g}') for one in levels]}"
        )
    if not levels[0] <= level <= levels[-1]:
        raise ValueError(f"level is {level!r}: wanted {levels[0]:.3g} to {levels[-1]:.3g}, as the file has them")
    return level


def _statistics(vector: npt.NDArray[np.float16], plain: nn.Module) -> dict[str, Tensor]:
    """The buffers of all batch norms, from a level's statistics."""
    values = torch.from_numpy(vector.astype(np.float32))
    state: dict[str, Tensor] = {}
    for prefix, norm in remembering(plain).items():
        mean, deviation = values[: 2 * norm.num_features].view(2, -1)
        values = values[2 * norm.num_features :]
        dtype = cast(Tensor, norm.running_mean).dtype
        state |= {
            f"{prefix}running_mean": mean.to(dtype),
            f"{prefix}running_var": deviation.square().to(dtype),
        }
    return state
