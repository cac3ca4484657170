"""One tensor of a checkpoint: what it is like, how it is rounded or kept, and what its file has to decode to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainers.architectures.base import STORABLE
from trainers.coding import tables
from trainers.coding.planning import static_bits
from trainers.coding.sections import Entry, Raw
from trainers.echo import echo
from trainers.methods.parts import backend
from trainers.methods.parts.magnitudes import pieces, root_mean_square
from trainers.methods.parts.steps import NORMAL, Steps

_FEW_VALUES = 64
"""Fewer whole numbers are stored as they are."""
_EXACT = 2**24
"""Float32 holds whole numbers up to this."""
_LARGEST_HALF = 65504.0
_MOST_WHOLE = 2e9
"""The largest whole number, which int32 holds."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was found out about a tensor."""

    largest: float = 0.0
    """Its largest magnitude."""
    size: float = 0.0
    """The root mean square of a tensor that is to be rounded, else 0."""
    is_whole: bool = False
    """Whether it may be stored as integers as it is."""


def entry_of(name: str, tensor: Tensor) -> Entry:
    """How a file describes a tensor.

    Raises:
        ValueError: a file does not hold such ones.
    """
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_nested or dtype not in STORABLE:
        kind = dtype if tensor.layout == torch.strided else f"{dtype}, {tensor.layout}"
        raise ValueError(f"tensor {echo(name)} is {kind}: wanted a dense one of {', '.join(STORABLE)}")
    return Entry(name=name, shape=tuple(tensor.shape), dtype=dtype)


def look(name: str, tensor: Tensor) -> Look:
    """Find out how a tensor is stored.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    if not tensor.numel() or tensor.dtype == torch.bool:
        return Look(largest=1.0, is_whole=tensor.numel() >= _FEW_VALUES)
    low, high = (float(extreme) for extreme in tensor.aminmax())
    if not math.isfinite(low) or not math.isfinite(high):
        raise ValueError(f"tensor {echo(name)} holds NaN or infinity: wanted finite numbers")
    largest = max(-low, high)
    is_weight = tensor.is_floating_point() and tensor.ndim >= 2
    if low == high or not (is_weight or not tensor.is_floating_point()):
        return Look()  # equal values take the bytes of one
    if largest <= _EXACT and _are_whole(tensor):
        return Look(largest=largest, is_whole=tensor.numel() >= _FEW_VALUES)
    return Look(largest=largest, size=root_mean_square(tensor) if is_weight else 0.0)


def _are_whole(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or all(bool((piece == piece.round()).all()) for (piece,) in pieces(tensor))


def _rounded(tensor: Tensor, steps: Steps) -> npt.NDArray[np.int32]:
    """The tensor in whole multiples of its step, none of which is beyond its dtype."""
    size, whole, begin = float(steps.sizes[0]), np.empty(tensor.numel(), np.int32), 0
    most = _MOST_WHOLE
    if tensor.is_floating_point():
        most = float(math.floor(min(torch.finfo(tensor.dtype).max / size, most)))
    for (piece,) in pieces(tensor):
        whole[begin : begin + len(piece)] = piece.div_(size).round_().clamp_(-most, most).numpy()
        begin += len(piece)
    return whole.reshape(tuple(tensor.shape))


def whole_numbers(tensor: Tensor, steps: Steps, largest: float) -> npt.NDArray[np.int32] | None:
    """``_rounded``, or None where the tensor takes no more bytes as it is."""
    if largest / float(steps.sizes[0]) >= _MOST_WHOLE:
        return None
    whole = _rounded(tensor, steps)
    try:
        bits = static_bits(tables.count([whole]))
    except ValueError:  # too many symbols
        return None
    return whole if bits < 8 * tensor.nbytes else None


def kept(tensor: Tensor) -> Raw:
    """A tensor that is not rounded: as it is, or as float16 where that is a relative 2^-11 off at most."""
    if tensor.is_floating_point() and tensor.ndim < 2 and tensor.element_size() > 2 and _fits_half(tensor):
        return backend.half(tensor)
    return backend.raw(tensor)


def _fits_half(tensor: Tensor) -> bool:
    magnitudes = tensor.abs()
    is_normal = bool(((magnitudes == 0) | ((magnitudes >= NORMAL) & (magnitudes <= _LARGEST_HALF))).all())
    return is_normal and (not _are_whole(tensor) or torch.equal(tensor.half().to(tensor.dtype), tensor))


def meant(tensor: Tensor, steps: Steps | None) -> Tensor:
    """What a file decodes to that stores a tensor with these steps, or keeps it."""
    if steps is None:
        return tensor.half().to(tensor.dtype) if kept(tensor).values.dtype == np.float16 else tensor
    whole = torch.from_numpy(_rounded(tensor, steps))
    if steps.exponent:
        return (whole.double() * float(steps.sizes[0])).to(tensor.dtype)
    return (whole.float() * float(steps.sizes[0])).to(tensor.dtype)
