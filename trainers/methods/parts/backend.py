"""The shared back end of all methods: tensors to sections, and sections to tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainers.coding.bytestream import RfzError
from trainers.coding.sections import Integers, Raw, Sections
from trainers.divergence import DivergedError
from trainers.methods.parts.fourier import real_fourier
from trainers.networks.norms import norm_parameters

GRANULARITIES = ("tensor", "channel")
"""What has a step of its own: each tensor, or each of its rows (indices of the first axis), the output channels."""


def raw(tensor: Tensor) -> Raw:
    """A section that holds ``tensor`` as it is."""
    values = tensor.detach().cpu()
    if values.dtype == torch.bfloat16:
        return Raw(values=values.view(torch.int16).numpy().view(np.uint16))
    return Raw(values=values.numpy())


def half(tensor: Tensor) -> Raw:
    """A section that holds ``tensor`` as float16; larger values become infinite, which no file accepts."""
    values = tensor.detach().cpu()
    with np.errstate(over="ignore"):
        return Raw(values=(values.float() if values.dtype == torch.bfloat16 else values).numpy().astype(np.float16))


def integers(tensor: Tensor, *, table: int, row_vector: int | None = None, exponent: int = 0) -> Integers:
    """A section of entropy-coded integers; ``tensor`` holds whole numbers in any dtype that numpy has.

    Raises:
        DivergedError: a value is NaN, infinite or beyond int32.
    """
    values = tensor.detach().cpu().numpy()
    if not np.isfinite(values).all():
        raise DivergedError("cannot code NaN or infinity: the training diverged")
    if (np.abs(values) >= 2**31).any():
        raise DivergedError(
            f"cannot code integers up to {np.abs(values).max():g}, beyond 32 bits: their step is too small"
        )
    return Integers(values=values.astype(np.int32), table=table, row_vector=row_vector, exponent=exponent)


def weight_names(model: nn.Module) -> set[str]:
    """The names of the parameters that methods quantise coarsely and prune: all of two or more axes, except norms'.

    Parameters that are not floating point, such as indices and masks, are stored as they are.
    """
    norms = norm_parameters(model)
    return {
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim >= 2 and parameter.is_floating_point() and name not in norms
    }


def dequantise_factors(sections: Sections) -> list[Tensor]:
    """The factors: integers times the steps of their tables, which the first vector holds.

    They are float32, or float64 where there is an exponent.

    Raises:
        RfzError: there is no step for a table.
    """
    scalar = sections.vectors[0].astype(np.float32) if sections.vectors else np.zeros(0, np.float32)
    for factor in sections.factors:
        if factor.table >= len(scalar):
            raise RfzError(f"the file is malformed: table {factor.table} has no step among {len(scalar)}")
    return [torch.from_numpy(_times(factor, scalar[factor.table])) for factor in sections.factors]


def dequantise(
    sections: Sections, plain: nn.Module, *, by_row: bool = False, made: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Decode sections to a ``state_dict``: integers times the steps of their table, and raw tensors in their own dtype.

    The first vector holds one step for each of the first tables. Each further vector holds the steps of the next table:
    one for each coefficient of a kernel's real Fourier transform, which the table's tensors hold in place of kernels;
    or, with ``by_row``, one for each index of its tensors' first axis.

    Args:
        sections: as read from a file.
        plain: the plain architecture.
        by_row: see above.
        made: the tensors that the method made from factors.

    Raises:
        RfzError: a table has no steps, or not one for each coefficient or row of its tensors; the tensors without a
            section are not those that the method made; or a value is beyond the tensor's dtype.
    """
    made = made or {}
    lacking = [name for name in plain.state_dict() if name not in sections.tensors]
    if set(lacking) != set(made):
        raise RfzError(f"the file is malformed: {lacking} are made of factors: wanted {list(made)}")
    scalar, *further = (vector.astype(np.float32) for vector in sections.vectors or (np.zeros(0, np.float16),))
    decoded: dict[str, Tensor] = {}
    for name, like in plain.state_dict().items():
        if name in made:
            decoded[name] = made[name].to(like.dtype)
            continue
        section = sections.tensors[name]
        if not isinstance(section, Integers):
            decoded[name] = _stored(section, like)
        elif section.table < len(scalar):
            decoded[name] = torch.from_numpy(_times(section, scalar[section.table])).to(like.dtype)
        elif section.table < len(scalar) + len(further):
            steps = further[section.table - len(scalar)]
            decoded[name] = (_by_row if by_row else _by_frequency)(section, steps, name, like)
        else:
            raise RfzError(
                f"the file is malformed: table {section.table} has no step among {len(scalar) + len(further)}"
            )
    for name, tensor in decoded.items():
        if not _is_finite(tensor):
            raise RfzError(f"the file is malformed: {name!r} holds a value beyond {tensor.dtype}")
    return decoded


def _is_finite(tensor: Tensor) -> bool:
    """Whether all values are; NaN spreads to both extremes, and no copy of the tensor is made."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    return bool(torch.stack(tensor.aminmax()).isfinite().all())


def _stored(section: Raw, like: Tensor) -> Tensor:
    values = np.array(section.values)
    if like.dtype == torch.bfloat16 and values.dtype == np.uint16:
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(values).to(like.dtype)


def _times(section: Integers, steps: npt.NDArray[np.float32] | np.float32) -> npt.NDArray[np.floating]:
    """The integers times ``steps``, which broadcast: float32, or float64 where there is an exponent."""
    if not section.exponent:
        values = section.values.astype(np.float32)
        values *= steps
        return values
    with np.errstate(over="ignore"):
        return np.array(np.ldexp(section.values * steps.astype(np.float64), section.exponent))


def _by_row(section: Integers, steps: npt.NDArray[np.float32], name: str, like: Tensor) -> Tensor:
    if like.ndim == 0 or like.shape[0] != len(steps):
        raise RfzError(f"the file is malformed: {len(steps)} rows of {name!r} of shape {tuple(like.shape)}")
    return torch.from_numpy(_times(section, steps.reshape(-1, *[1] * (like.ndim - 1)))).to(like.dtype)


def _by_frequency(section: Integers, steps: npt.NDArray[np.float32], name: str, like: Tensor) -> Tensor:
    if len(like.shape) < 3 or math.prod(like.shape[2:]) != len(steps):
        raise RfzError(f"the file is malformed: {len(steps)} frequencies for {name!r} of shape {like.shape}")
    with np.errstate(over="ignore"):
        coefficients = np.ldexp(section.values.reshape(-1, len(steps)) * steps.astype(np.float64), section.exponent)
    kernels = torch.from_numpy(coefficients) @ real_fourier(tuple(like.shape[2:]))
    return kernels.reshape(like.shape).to(like.dtype)
