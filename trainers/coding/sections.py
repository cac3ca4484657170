"""What a file stores, before coding: one section for each tensor of the network, and the method's own vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

_FLOATS = ("float16", "float32", "float64")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One tensor of the architecture's ``state_dict``; ``dtype`` is a numpy name."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def num_values(self) -> int:
        return math.prod(self.shape)


Layout = Sequence[Entry]


@dataclass(frozen=True, kw_only=True)
class Integers:
    """A tensor of int32 that is entropy-coded. Tensors with the same ``table`` share one frequency table."""

    values: npt.NDArray[np.int32]
    table: int = 0
    row_vector: int | None = None
    """Which of the method's vectors has one number for each row (index of the first axis) of this tensor, so that they
    go where the rows go when units are sorted. Not stored: ``decode`` knows."""


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A tensor stored as it is, little-endian: float16 or the dtype that the architecture has there.

    Where all values are the same, one is stored, and none where they are zero.
    """

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


def check_sections(layout: Layout, sections: Sections) -> None:
    """Refuse what does not fit the architecture, and what is not finite.

    Raises:
        ValueError: a section is missing, has a wrong shape or dtype, or holds NaN or infinity.
    """
    names = [entry.name for entry in layout]
    if list(sections.tensors) != names:
        raise ValueError(f"sections are {list(sections.tensors)}: wanted one for each tensor, in order: {names}")
    for entry in layout:
        section = sections.tensors[entry.name]
        values: npt.NDArray[Any] = section.values
        if values.shape != entry.shape:
            raise ValueError(f"section {entry.name!r} has shape {values.shape}: wanted {entry.shape}")
        if isinstance(section, Integers):
            if values.dtype != np.int32 or section.table < 0:
                raise ValueError(
                    f"section {entry.name!r} has dtype {values.dtype}, table {section.table}: wanted int32, from 0"
                )
        elif values.dtype != np.dtype(entry.dtype) and (values.dtype != np.float16 or entry.dtype not in _FLOATS):
            raise ValueError(f"section {entry.name!r} has dtype {values.dtype}: wanted {entry.dtype}, or its float16")
        elif values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"section {entry.name!r} holds NaN or infinity: refused")
    for vector in sections.vectors:
        if vector.dtype != np.float16 or vector.ndim != 1 or not np.isfinite(vector).all():
            raise ValueError("a vector must be one-dimensional, float16 and finite")
