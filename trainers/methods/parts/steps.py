"""Steps as a file holds them: float16 numbers times one power of two, which is 1 wherever float16 is wide enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainers.divergence import DivergedError

_LEAST, _MOST = 2.0**-22, 65504.0
"""Between these float16 holds a step well enough: it is an eighth off at most."""
NORMAL = 2.0**-14
"""The smallest float16 that has all its bits."""
_TOP = 15
"""Otherwise the exponent is such that the largest of a tensor's numbers is below 2 ** ``_TOP``."""
_SMALLEST = 2.0**-24
"""The smallest float16: the number of a step that is even smaller beside the largest, and of zero."""
_NUM_BITS = 11
"""The significant bits of a float16."""
_SQUARED_LEAST, _SQUARED_MOST = 2.0**-40, 2.0**40
"""Tensors whose largest magnitude is between these have squares that float32 holds."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps of a tensor: one, or one for each row or frequency."""

    numbers: npt.NDArray[np.float16]
    """Positive, (steps,)."""
    exponent: int = 0
    """Each step is its number times 2 ** ``exponent``."""

    @property
    def sizes(self) -> npt.NDArray[np.float64]:
        """The steps themselves, (steps,)."""
        sizes: npt.NDArray[np.float64] = np.ldexp(self.numbers.astype(np.float64), self.exponent)
        return sizes


def steps_of(sizes: npt.ArrayLike, /, *, least: float = _LEAST) -> Steps:
    """The steps that are nearest to ``sizes``. Those that are stored already stay as they are.

    Args:
        sizes: one number, or (steps,); none is negative.
        least: a positive size below this is too small for float16 alone.

    Raises:
        DivergedError: a size is NaN or infinite.
    """
    given = np.atleast_1d(np.asarray(sizes, np.float64))
    if not np.isfinite(given).all():
        raise DivergedError("a quantisation step became NaN or infinite")
    is_plain = (given == 0) | (given == _SMALLEST) | ((given >= least) & (given <= _MOST))
    largest = in_float16_bits(given.max(keepdims=True))  # which may be the next power of two
    exponent = 0 if is_plain.all() else int(np.frexp(largest)[1][0]) - _TOP
    return Steps(numbers=np.ldexp(given, -exponent).clip(_SMALLEST, _MOST).astype(np.float16), exponent=exponent)


def in_float16_bits(sizes: npt.NDArray[np.float64], /) -> npt.NDArray[np.float64]:
    """``sizes`` rounded to as many bits as a float16 has, with exponents of any size."""
    mantissa, exponent = np.frexp(sizes)
    rounded: npt.NDArray[np.float64] = np.ldexp(np.round(mantissa * 2**_NUM_BITS), exponent - _NUM_BITS)
    return rounded


def exact(sizes: Sequence[Tensor]) -> list[Tensor]:
    """Round the sizes of steps to those that ``steps_of`` stores, for a network that computes with them; no gradient.

    Args:
        sizes: those of several tensors, each of any shape; they are looked at together, since a GPU is waited for.

    Raises:
        DivergedError: a size is NaN or infinite.
    """
    sizes = [size.detach() for size in sizes]
    together = torch.cat([size.reshape(-1) for size in sizes]) if sizes else torch.zeros(0)
    if bool((together == together.clamp(_LEAST, _MOST)).all()):
        return [size.half().to(size.dtype) for size in sizes]
    return [
        torch.from_numpy(steps_of(size.cpu().numpy().reshape(-1)).sizes).to(size).reshape(size.shape) for size in sizes
    ]


def wide(tensor: Tensor) -> Tensor:
    """``tensor`` in float32 if its dtype has fewer bits; gradients pass."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def times_power(tensor: Tensor, exponent: int) -> Tensor:
    """``tensor`` times 2 ** ``exponent``, a factor that may be beyond its dtype; gradients pass."""
    most = 1000 if tensor.dtype == torch.float64 else 120
    while exponent:
        part = max(-most, min(most, exponent))
        tensor, exponent = tensor * 2.0**part, exponent - part
    return tensor


def level(tensor: Tensor) -> int:
    """The exponent of the power of two by which a tensor is to be divided before it is squared; 0 for ordinary ones."""
    largest = float(tensor.detach().abs().max()) if tensor.numel() else 0.0
    is_ordinary = not largest or _SQUARED_LEAST <= largest <= _SQUARED_MOST
    return 0 if is_ordinary or not np.isfinite(largest) else int(np.frexp(largest)[1])
