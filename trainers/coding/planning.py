"""Chooses how each tensor is stored: the kinds that take the fewest bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from trainers.coding import section_kinds, tables
from trainers.coding.coder import information_bits
from trainers.coding.contexts import ContextCoder
from trainers.coding.forms import as_matrix, live_block
from trainers.coding.model import Notes
from trainers.coding.section_kinds import Encoding
from trainers.coding.sections import Entry, Integers, Layout, Section, Sections

Ints32 = npt.NDArray[np.int32]

_SMALL = 1 << 18
"""Up to so many values both codes are tried; of a larger table a sample is."""
_SAMPLE = 1 << 16


def plan(
    layout: Layout, sections: Sections, *, done: Callable[[Iterable[Entry]], None] = lambda entries: None
) -> list[Encoding]:
    """Choose the kinds that store ``sections`` in the fewest bytes; tensors that share a table are of one kind.

    A tensor without a section is computed from factors. ``done`` is called with entries that are planned.

    Raises:
        ValueError: the numbers of the tables have gaps, or a table has too many symbols.
    """
    integers = {
        entry: cast(Integers, sections.tensors[entry.name])
        for entry in layout
        if isinstance(sections.tensors.get(entry.name), Integers)
    }
    numbers = sorted({section.table for section in integers.values()})
    if numbers != list(range(len(numbers))):
        raise ValueError(f"tables are numbered {numbers}: wanted 0 to {len(numbers) - 1} without a gap")
    groups = {
        number: [section.values for section in integers.values() if section.table == number] for number in numbers
    }
    static = {number: tables.count(values) for number, values in groups.items()}
    notes = _adaptive(integers, groups, {number: _static_bits(table) for number, table in static.items()})
    encodings: list[Encoding] = []
    for entry in layout:
        section = sections.tensors.get(entry.name)
        if isinstance(section, Integers):
            encodings.append(_integers(entry, section, notes.get(entry.name), static[section.table]))
        else:
            encodings.append(_plan_raw(entry, section))
        done([entry])
    return encodings


def _adaptive(
    integers: dict[Entry, Integers], groups: dict[int, list[Ints32]], static_bits: dict[int, float]
) -> dict[str, Notes]:
    """The notes of all tensors whose tables cost more than learning: their groups are found by leaving others out."""
    chosen = {number for number, values in groups.items() if _promises(values)}
    while True:
        coder = ContextCoder()
        notes = {
            entry.name: coder.note(section.values) for entry, section in integers.items() if section.table in chosen
        }
        bits = dict.fromkeys(chosen, 0.0)
        for entry, section in integers.items():
            if section.table in chosen:
                bits[section.table] += notes[entry.name].information_bits()
        dear = {number for number in chosen if bits[number] >= static_bits[number]}
        if not dear:
            return notes
        chosen -= dear


def _integers(entry: Entry, section: Integers, notes: Notes | None, table: tables.Table) -> Encoding:
    is_adaptive = notes is not None
    kind = section_kinds.ADAPTIVE if is_adaptive else section_kinds.INTEGERS
    return Encoding(
        entry=entry,
        kind=section_kinds.SCALED if section.exponent else kind,
        argument=2 * section.table + is_adaptive if section.exponent else section.table,
        notes=notes,
        table=None if is_adaptive else table,
        exponent=section.exponent,
    )


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


def _promises(values: Sequence[Ints32]) -> bool:
    """Whether learning may pay: for a large table, on some rows from the middle of its largest tensor."""
    if sum(tensor.size for tensor in values) <= _SMALL:
        return True
    matrix = live_block(as_matrix(max(values, key=lambda tensor: tensor.size)))
    if not matrix.size:
        return True
    num_rows = max(1, _SAMPLE // matrix.shape[1])
    first = max(0, (matrix.shape[0] - num_rows) // 2)
    sample = matrix[first : first + num_rows, :_SAMPLE]
    counts = np.unique(sample, return_counts=True)[1]
    return ContextCoder().note(sample).information_bits() < float(counts @ information_bits(counts))
