"""Chooses how each tensor is stored: the kinds that take the fewest bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from trainers.coding import adaptive, section_kinds, structure, tables
from trainers.coding.coder import information_bits
from trainers.coding.section_kinds import Encoding, Recording
from trainers.coding.sections import Entry, Integers, Layout, Section, Sections

Ints32 = npt.NDArray[np.int32]

_SMALL = 1 << 18  # values; up to here every way is tried
_DENSE = 0.9  # if less than this share of the values is left without trailing zeros, adaptive coding is worth a try
_FEW_CALLS = 1 << 13  # they take less than a second


def plan(
    layout: Layout, sections: Sections, *, done: Callable[[Iterable[Entry]], None] = lambda entries: None
) -> list[Encoding]:
    """Choose the kinds that store ``sections`` in the fewest bytes; tensors that share a table are of one kind.

    A tensor without a section is computed from factors. ``done`` is called with entries that are planned.

    Raises:
        ValueError: the numbers of the tables have gaps, or a table has too many symbols.
    """
    groups: dict[int, list[Entry]] = {}
    for entry in layout:
        section = sections.tensors.get(entry.name)
        if isinstance(section, Integers):
            groups.setdefault(section.table, []).append(entry)
    if sorted(groups) != list(range(len(groups))):
        raise ValueError(f"tables are numbered {sorted(groups)}: wanted 0 to {len(groups) - 1} without a gap")
    values = {
        table: [cast(Integers, sections.tensors[entry.name]).values for entry in entries]
        for table, entries in groups.items()
    }
    matrices = {table: _promising(tensors) for table, tensors in values.items()}
    coarseness = _coarseness([matrix for some in matrices.values() for matrix in some if matrix.size])
    encodings: dict[str, Encoding] = {}
    for table, entries in groups.items():
        static = tables.count(values[table])
        recordings = [_record(matrix, coarseness) if matrix.size else None for matrix in matrices[table]]
        adaptive_bits = sum(8.0 if recording is None else 40 + recording.information_bits() for recording in recordings)
        is_adaptive = bool(recordings) and adaptive_bits < _static_bits(static)
        for index, entry in enumerate(entries):
            exponent = cast(Integers, sections.tensors[entry.name]).exponent
            kind = section_kinds.ADAPTIVE if is_adaptive else section_kinds.INTEGERS
            encodings[entry.name] = Encoding(
                entry=entry,
                kind=section_kinds.SCALED if exponent else kind,
                argument=2 * table + is_adaptive if exponent else table,
                recording=recordings[index] if is_adaptive else None,
                table=None if is_adaptive else static,
                exponent=exponent,
            )
        done(entries)
    done(entry for entry in layout if entry.name not in encodings)
    return [encodings.get(entry.name) or _plan_raw(entry, sections.tensors.get(entry.name)) for entry in layout]


def _plan_raw(entry: Entry, section: Section | None) -> Encoding:
    if section is None:
        return Encoding(entry=entry, kind=section_kinds.MADE, argument=0)
    is_half = section.values.dtype != entry.raw_dtype
    bits = np.ascontiguousarray(section.values).reshape(-1).view(f"u{section.values.itemsize}")
    if (bits == bits[:1]).all():
        return Encoding(entry=entry, kind=section_kinds.CONSTANT, argument=int(bits[:1].any()) + 2 * is_half)
    return Encoding(entry=entry, kind=section_kinds.HALF if is_half else section_kinds.RAW, argument=0)


def _static_bits(table: tables.Table) -> float:
    stored = bytearray()
    tables.write_table(stored, table)
    return 8 * len(stored) + float(table.counts @ information_bits(table.counts))


def _promising(values: Sequence[Ints32]) -> list[Ints32]:
    """A table's tensors as matrices for adaptive coding; empty if that is slow or promises no gain."""
    matrices = [section_kinds.live_block(section_kinds.as_matrix(tensor)) for tensor in values]
    filled = [matrix for matrix in matrices if matrix.size]
    num_live, num_values = sum(matrix.size for matrix in filled), sum(tensor.size for tensor in values)
    promises = num_live <= _SMALL or num_live < _DENSE * num_values or structure.is_structured(filled)
    return matrices if promises and _is_fast(filled) else []


def _is_fast(matrices: Sequence[Ints32]) -> bool:
    """Whether adaptive coding makes few calls of the coder; each step makes some for every magnitude.

    Vectors of large numbers need more calls than they have values, and offer little to learn.
    """
    num_steps = [adaptive.num_steps(matrix.shape, 0) for matrix in matrices]
    largest = [min(int(np.abs(matrix).max()), 64) for matrix in matrices]
    num_calls = sum(steps * (3 + magnitude) for steps, magnitude in zip(num_steps, largest, strict=True))
    return all(num_steps) and num_calls <= max(_FEW_CALLS, 4 * sum(matrix.size for matrix in matrices))


def _coarseness(matrices: Sequence[Ints32]) -> int:
    """The least coarseness at which a whole file takes seconds."""
    for coarseness in range(adaptive.MAX_COARSENESS):
        if sum(adaptive.num_steps(matrix.shape, coarseness) for matrix in matrices) <= adaptive.MOST_STEPS:
            return coarseness
    return adaptive.MAX_COARSENESS


def _record(matrix: Ints32, coarseness: int) -> Recording:
    width = structure.grid_width(matrix)
    widths = {0, width} if matrix.size <= _SMALL and coarseness == 0 else {width}
    recordings = [_record_with(matrix, one, coarseness) for one in sorted(widths)]
    return min(recordings, key=Recording.information_bits)


def _record_with(matrix: Ints32, width: int, coarseness: int) -> Recording:
    all_bits: list[npt.NDArray[np.uint8]] = []
    all_ones: list[npt.NDArray[np.uint16]] = []

    def port(ones: adaptive.Ints, bits: adaptive.Ints) -> adaptive.Ints:
        all_bits.append(bits.astype(np.uint8))
        all_ones.append(ones.astype(np.uint16))
        return bits

    adaptive.code(matrix, width, coarseness, port)
    return Recording(width=width, coarseness=coarseness, bits=np.concatenate(all_bits), ones=np.concatenate(all_ones))
