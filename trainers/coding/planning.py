"""Chooses how each tensor is stored: the kinds that take the fewest bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from trainers.coding import adaptive, codecs, structure, tables
from trainers.coding.codecs import Recording, Use
from trainers.coding.coder import information_bits
from trainers.coding.sections import Entry, Integers, Layout, Raw, Sections

_SMALL = 1 << 18  # values for which all ways are tried
_FEW_CALLS = 1 << 13  # less than a second


def plan(layout: Layout, sections: Sections) -> list[Use]:
    """The kinds that store ``sections`` in the fewest bytes; tensors that share a table are of one kind.

    Raises:
        ValueError: the numbers of the tables have gaps, or a table has too many symbols.
    """
    groups: dict[int, list[Entry]] = {}
    for entry in layout:
        section = sections.tensors[entry.name]
        if isinstance(section, Integers):
            groups.setdefault(section.table, []).append(entry)
    if sorted(groups) != list(range(len(groups))):
        raise ValueError(f"tables are numbered {sorted(groups)}: wanted 0 to {len(groups) - 1} without a gap")
    uses: dict[str, Use] = {}
    for table, entries in groups.items():
        values = [cast(Integers, sections.tensors[entry.name]).values for entry in entries]
        static = tables.count(values)
        recordings = _record(values)
        adaptive_bits = sum(8.0 if recording is None else 40 + recording.information_bits() for recording in recordings)
        is_adaptive = bool(recordings) and adaptive_bits < _static_bits(static)
        for index, entry in enumerate(entries):
            uses[entry.name] = Use(
                entry=entry,
                kind=codecs.ADAPTIVE if is_adaptive else codecs.INTEGERS,
                argument=table,
                recording=recordings[index] if is_adaptive else None,
                table=None if is_adaptive else static,
            )
    return [uses.get(entry.name) or _plan_raw(entry, cast(Raw, sections.tensors[entry.name])) for entry in layout]


def _plan_raw(entry: Entry, section: Raw) -> Use:
    is_half = section.values.dtype != np.dtype(entry.dtype)
    bits = np.ascontiguousarray(section.values).reshape(-1).view(f"u{section.values.itemsize}")
    if (bits == bits[:1]).all():
        return Use(entry=entry, kind=codecs.CONSTANT, argument=int(bits[:1].any()) + 2 * is_half)
    return Use(entry=entry, kind=codecs.HALF if is_half else codecs.RAW, argument=0)


def _static_bits(table: tables.Table) -> float:
    stored = bytearray()
    tables.write_table(stored, table)
    return 8 * len(stored) + float(table.counts @ information_bits(table.counts))


def _record(values: Sequence[npt.NDArray[np.int32]]) -> list[Recording | None]:
    """The tensors of a table as coded adaptively, None for one without values; empty where that promises nothing."""
    matrices = [codecs.live_block(codecs.as_matrix(tensor)) for tensor in values]
    if not _is_fast([matrix for matrix in matrices if matrix.size]):
        return []
    is_small = sum(matrix.size for matrix in matrices) <= _SMALL
    if not is_small and not any(structure.is_structured(matrix) for matrix in matrices if matrix.size):
        return []
    return [_record_matrix(matrix) if matrix.size else None for matrix in matrices]


def _is_fast(matrices: Sequence[npt.NDArray[np.int32]]) -> bool:
    """By the calls of the coder: each step has some for every magnitude.

    Vectors of large numbers have more calls than values, and little to learn.
    """
    num_steps = [adaptive.num_steps((matrix.shape[0], matrix.shape[1])) for matrix in matrices]
    largest = [min(int(np.abs(matrix).max()), 64) for matrix in matrices]
    num_calls = sum(steps * (3 + magnitude) for steps, magnitude in zip(num_steps, largest, strict=True))
    return all(num_steps) and num_calls <= max(_FEW_CALLS, 4 * sum(matrix.size for matrix in matrices))


def _record_matrix(matrix: npt.NDArray[np.int32]) -> Recording:
    width = structure.grid_width(matrix)
    widths = {0, width} if matrix.size <= _SMALL else {width}
    return min((_record_with(matrix, one) for one in sorted(widths)), key=Recording.information_bits)


def _record_with(matrix: npt.NDArray[np.int32], width: int) -> Recording:
    all_bits: list[npt.NDArray[np.uint8]] = []
    all_ones: list[npt.NDArray[np.uint16]] = []

    def port(ones: adaptive.Ints, bits: adaptive.Ints) -> adaptive.Ints:
        all_bits.append(bits.astype(np.uint8))
        all_ones.append(ones.astype(np.uint16))
        return bits

    adaptive.code(matrix, width, port)
    return Recording(width=width, bits=np.concatenate(all_bits), ones=np.concatenate(all_ones))
