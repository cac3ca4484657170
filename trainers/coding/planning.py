"""Chooses how each tensor is stored: the kinds that take the fewest bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from trainers.coding import section_kinds, tables
from trainers.coding.coder import information_bits
from trainers.coding.contexts import ContextCoder
from trainers.coding.forms import as_matrix, kernel_size, live_block
from trainers.coding.grid_model import GridModel
from trainers.coding.model import Notes
from trainers.coding.section_kinds import Encoding
from trainers.coding.sections import Entry, Integers, Layout, Section, Sections, digest
from trainers.coding.structure import is_structured

Ints32 = npt.NDArray[np.int32]

_SMALL = 1 << 18
"""Up to so many values both codes are tried; of a larger table, where a look at some rows promises a gain."""
_DENSE = 0.9
"""Where less than this share of the values is left without trailing zeros, both are tried, too."""

_LEAST_GAIN, _NO_GAIN = {0: 1.0, 1: 1.0, 2: 0.98}, 1.0005
"""The share of a table's bits below which learning is kept, by the turn. Without a group the others learn less, so that
another may become dear: after two turns those of small gain go at once, and then a little loss is borne."""


def plan(
    layout: Layout, sections: Sections, *, done: Callable[[Iterable[Entry]], None] = lambda entries: None
) -> list[Encoding]:
    """Choose the kinds that store ``sections`` in the fewest bytes.

    Tensors that share a table are of one kind, but for grids. A tensor without a section is computed from factors.
    ``done`` is called with entries that are planned.

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
    matrices = _plan_matrices(layout, sections, integers, done)
    planes = {
        entry: section
        for entry, section in integers.items()
        if entry.is_grid and len(entry.shape) > 1 and not section.exponent
    }
    grids = _smaller_as_grids(planes, matrices)
    if not grids:
        return matrices
    rest = {entry: section for entry, section in integers.items() if entry not in grids}
    chosen = {one.entry: one for one in _plan_matrices(layout, sections, rest, lambda entries: None)}
    for entry, (section, noted) in grids.items():
        chosen[entry] = Encoding(entry=entry, kind=section_kinds.GRID, argument=section.table, notes=noted)
    with_grids = [chosen[entry] for entry in layout]
    return min(matrices, with_grids, key=_total_bits)


def _plan_matrices(
    layout: Layout,
    sections: Sections,
    integers: dict[Entry, Integers],
    done: Callable[[Iterable[Entry]], None],
) -> list[Encoding]:
    """Choose between tables and the model for each group of ``integers``; tensors of other integers are left out."""
    groups: dict[int, list[Ints32]] = {}
    for one in integers.values():
        groups.setdefault(one.table, []).append(one.values)
    static = {number: tables.count(values) for number, values in groups.items()}
    notes = _adaptive(integers, groups, {number: static_bits(table) for number, table in static.items()}, done)
    done([entry for entry in layout if entry not in integers])
    encodings: list[Encoding] = []
    for entry in layout:
        section = sections.tensors.get(entry.name)
        if not isinstance(section, Integers):
            encodings.append(_plan_raw(entry, section))
        elif entry in integers:
            encodings.append(_integers(entry, section, notes.get(entry.name), static[section.table]))
    return encodings


def _smaller_as_grids(
    planes: dict[Entry, Integers], matrices: Sequence[Encoding]
) -> dict[Entry, tuple[Integers, Notes]]:
    """Those of ``planes`` that the model of grids stores in fewer bits than ``matrices``, and their bits."""
    others = {encoding.entry: encoding for encoding in matrices}

    def noted(chosen: Iterable[Entry]) -> dict[Entry, tuple[Integers, Notes]]:
        model = GridModel()
        return {entry: (planes[entry], model.note(planes[entry].values)) for entry in chosen}

    found = noted(planes)
    smaller = [
        entry
        for entry, (section, notes) in found.items()
        if notes.information_bits() < _bits(others[entry], section.values)
    ]
    return found if len(smaller) == len(found) else noted(smaller)


def _bits(encoding: Encoding, values: Ints32) -> float:
    """The bits of a tensor of integers, without its table."""
    if encoding.notes is not None:
        return encoding.notes.information_bits()
    assert encoding.table is not None, "integers have notes or a table"
    counts = encoding.table.counts
    return float(information_bits(counts)[encoding.table.index(values.ravel())].sum())


def _total_bits(encodings: Sequence[Encoding]) -> float:
    """The bits of all integers, each table once."""
    noted = sum(encoding.notes.information_bits() for encoding in encodings if encoding.notes is not None)
    counted = {encoding.unscaled.argument: encoding.table for encoding in encodings if encoding.table is not None}
    return noted + sum(static_bits(table) for table in counted.values())


def _adaptive(
    integers: dict[Entry, Integers],
    groups: dict[int, list[Ints32]],
    static_bits: dict[int, float],
    done: Callable[[Iterable[Entry]], None],
) -> dict[str, Notes]:
    """The notes of all tensors whose tables cost more than learning: their groups are found by leaving others out."""
    chosen = {number for number, values in groups.items() if _promises(values)}
    done([entry for entry, section in integers.items() if section.table not in chosen])
    for turn in itertools.count():
        coder, notes, bits = ContextCoder(), {}, dict.fromkeys(chosen, 0.0)
        for entry, section in integers.items():
            if section.table in chosen:
                notes[entry.name] = coder.note(section.values)
                bits[section.table] += notes[entry.name].information_bits()
                if turn == 0:
                    done([entry])
        least = _LEAST_GAIN.get(turn, _NO_GAIN)
        if all(bits[number] < max(1.0, least) * static_bits[number] for number in chosen):
            return notes
        chosen = {number for number in chosen if bits[number] < least * static_bits[number]}
    raise AssertionError("groups run out")


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
    if entry.built and section.values.nbytes > section_kinds.DIGEST_BYTES and digest(section.values) == entry.built:
        return Encoding(entry=entry, kind=section_kinds.BUILT, argument=0)
    return Encoding(entry=entry, kind=section_kinds.HALF if is_half else section_kinds.RAW, argument=0)


def static_bits(table: tables.Table) -> float:
    """The bits of a table and of the values that it counts."""
    stored = bytearray()
    tables.write_table(stored, table)
    return 8 * len(stored) + float(table.counts @ information_bits(table.counts))


def _promises(values: Sequence[Ints32]) -> bool:
    """Whether learning may pay: for a large table, whether zeros can be left out, or something predicts something."""
    blocks = [live_block(as_matrix(tensor)) for tensor in values]
    num_live, num_values = sum(block.size for block in blocks), sum(tensor.size for tensor in values)
    if num_live <= _SMALL or num_live < _DENSE * num_values:
        return True
    # in kernels a value may be like that one line or one input channel before
    lags = [{1, tensor.shape[-1], kernel_size(tensor.shape)} if tensor.ndim > 2 else {1} for tensor in values]
    return is_structured([(block, some) for block, some in zip(blocks, lags, strict=True) if block.size])
