"""What a file stores, before coding: a section for each tensor of the network, the method's own factors and vectors."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.divergence import DivergedError

MOST_EXPONENT = 1100
"""The largest magnitude of an exponent: beyond it no step times an integer is a float64."""
_FLOATS = ("bfloat16", "float16", "float32", "float64")
_BFLOAT16_EXPONENT = np.uint16(0x7F80)
"""The bits of the exponent, all of which are one in NaN and infinity."""
_MOST_FACTORS = 2
"""All factors together may have this many times the values of the network: more would compress nothing."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One tensor of the architecture's ``state_dict``."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """torch's name of the dtype."""
    is_grid: bool = False
    """Whether its last two axes are rows and columns of a plane, which the writer may code as such."""
    built: bytes = field(default=b"", compare=False, repr=False)
    """``digest`` of the values that every build of the architecture has, of whole numbers or truth values; else empty.
    The writer leaves such values out."""

    @property
    def num_values(self) -> int:
        return math.prod(self.shape)

    @property
    def raw_dtype(self) -> np.dtype[np.generic]:
        """The dtype of raw values; numpy has no bfloat16, whose bits are held as uint16."""
        return np.dtype("uint16" if self.dtype == "bfloat16" else self.dtype)


Layout = Sequence[Entry]


def digest(values: npt.NDArray[Any]) -> bytes:
    """The SHA-256 of the values, little-endian and in order."""
    return hashlib.sha256(values.astype(values.dtype.newbyteorder("<")).tobytes()).digest()


@dataclass(frozen=True, kw_only=True)
class Integers:
    """A tensor of int32 that is entropy-coded. It decodes to the integers times their step times 2 ** ``exponent``.

    Tensors with the same ``table`` share one frequency table, and their step.
    """

    values: npt.NDArray[np.int32]
    table: int = 0
    row_vector: int | None = None
    """The index of the method's vector that has one number for each row (index of the first axis) of this tensor.

    When units are sorted, its numbers move with the rows. Not stored: ``decode`` knows.
    """
    exponent: int = 0
    """Not 0 where float16 is too narrow for the step."""


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A tensor stored as it is, little-endian: float16 or ``Entry.raw_dtype``.

    If all values are equal, one is stored; if all are zero, none.
    """

    values: npt.NDArray[np.generic]


Section = Integers | Raw


@dataclass(frozen=True, kw_only=True)
class Sections:
    """Everything a method stores for one operating point.

    ``tensors`` has one entry for each name of the architecture's ``state_dict``, in its order, except tensors that the
    method computes from ``factors``, which are matrices of integers with shapes of their own. ``vectors`` are the
    method's own small float16 arrays (scales, steps). Factors and vectors are identified by their order.
    """

    tensors: dict[str, Section]
    vectors: tuple[npt.NDArray[np.float16], ...] = field(default=())
    factors: tuple[Integers, ...] = field(default=())


def factor_entry(index: int, shape: tuple[int, ...]) -> Entry:
    """The entry of a factor; factors are coded after all tensors, in the same way."""
    return Entry(name=f"factor {index}", shape=shape, dtype="int32")


def flattened(layout: Layout, sections: Sections) -> tuple[Layout, Sections]:
    """Return ``layout`` and ``sections`` with the factors among the tensors, after all others."""
    entries = [factor_entry(index, factor.values.shape) for index, factor in enumerate(sections.factors)]
    named = {entry.name: factor for entry, factor in zip(entries, sections.factors, strict=True)}
    return [*layout, *entries], replace(sections, tensors={**sections.tensors, **named}, factors=())


def check_factors(layout: Layout, factors: Layout) -> None:
    """Refuse factors that are no matrices, that are called like a tensor, or that are too large for the network.

    Raises:
        ValueError: they are; one line says why.
    """
    num_values, at_most = sum(entry.num_values for entry in factors), sum(entry.num_values for entry in layout)
    names = {entry.name for entry in layout}
    for entry in factors:
        if len(entry.shape) != 2 or min(entry.shape) < 1:
            raise ValueError(f"{entry.name} has shape {entry.shape}: wanted a matrix with a row and a column at least")
        if entry.name in names:
            raise ValueError(f"a tensor of the architecture is called {entry.name!r}: wanted that name for a factor")
    if num_values > _MOST_FACTORS * at_most:
        raise ValueError(f"factors have {num_values} values: wanted {_MOST_FACTORS} times {at_most} at most")


def check_sections(layout: Layout, sections: Sections) -> None:
    """Refuse sections that do not fit the architecture or are not finite.

    Raises:
        DivergedError: a section holds NaN or infinity.
        ValueError: a section is missing, or has a wrong shape or dtype.
    """
    names = [entry.name for entry in layout]
    wanted = [name for name in names if name in sections.tensors] if sections.factors else names
    if list(sections.tensors) != wanted:
        raise ValueError(f"sections are {list(sections.tensors)}: wanted one for each tensor, in order: {names}")
    if sections.factors and wanted == names:
        raise ValueError("there are factors of which no tensor is made: every tensor has a section")
    entries, flat = flattened(layout, sections)
    check_factors(layout, entries[len(layout) :])
    for entry in entries:
        if entry.name not in flat.tensors:
            continue
        section = flat.tensors[entry.name]
        values: npt.NDArray[Any] = section.values
        if values.shape != entry.shape:
            raise ValueError(f"section {entry.name!r} has shape {values.shape}: wanted {entry.shape}")
        if isinstance(section, Integers):
            if values.dtype != np.int32 or section.table < 0:
                raise ValueError(
                    f"section {entry.name!r} has dtype {values.dtype}, table {section.table}: wanted int32, from 0"
                )
            if abs(section.exponent) > MOST_EXPONENT:
                raise ValueError(
                    f"section {entry.name!r} has exponent {section.exponent}: wanted {MOST_EXPONENT} at most"
                )
        elif values.dtype != entry.raw_dtype and (values.dtype != np.float16 or entry.dtype not in _FLOATS):
            own = "the bits of bfloat16 as uint16" if entry.dtype == "bfloat16" else entry.dtype
            raise ValueError(f"section {entry.name!r} has dtype {values.dtype}: wanted {own}, or its float16")
        elif not _are_finite(values, entry):
            raise DivergedError(f"section {entry.name!r} holds NaN or infinity: refused")
    for vector in sections.vectors:
        if vector.dtype != np.float16 or vector.ndim != 1 or not np.isfinite(vector).all():
            wrong = ValueError if np.isfinite(vector).all() else DivergedError
            raise wrong("a vector must be one-dimensional, float16 and finite")


def _are_finite(values: npt.NDArray[Any], entry: Entry) -> bool:
    if entry.dtype == "bfloat16" and values.dtype == np.uint16:
        return bool(((values & _BFLOAT16_EXPONENT) != _BFLOAT16_EXPONENT).all())
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())
