"""What a file stores, before coding: one section for each tensor of the network, and the method's own vectors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class Integers:
    """A tensor of int32 that is entropy-coded. Tensors with the same ``table`` share one frequency table."""

    values: npt.NDArray[np.int32]
    table: int = 0


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A tensor stored as it is, little-endian: float16 or the dtype that the architecture has there."""

    values: npt.NDArray[np.generic]


Section = Integers | Raw


@dataclass(frozen=True, kw_only=True)
class Sections:
    """Everything a method stores for one operating point.

    ``tensors`` has one entry for each name of the architecture's ``state_dict``, in its order. ``vectors`` are the
    method's own small float16 arrays (scales, steps), told apart by their order.
    """

    tensors: dict[str, Section]
    vectors: tuple[npt.NDArray[np.float16], ...] = field(default=())
