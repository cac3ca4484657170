"""The ``.rfz`` file, format version 2: a lean header, typed sections, one coded stream, a checksum.

docs/rfz.md describes it byte for byte, and what differs in version 1. Counts and shapes come from the architecture,
never from the file, so a hostile file cannot ask for memory. The shapes of factors are in the file; the size of the
architecture bounds them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from trainers.coding import planning, section_kinds
from trainers.coding.bytestream import Reader, RfzError, put_varint
from trainers.coding.coder import Decoder, Encoder
from trainers.coding.deadline import unlimited
from trainers.coding.header import (
    CHECKSUM_BYTES,
    FORMAT_VERSION,
    Header,
    in_fewest_bytes,
    seal,
    take_header,
    tokenizer_bytes,
    unseal,
    version_of,
    write_header,
)
from trainers.coding.meter import Meter, Show, unseen
from trainers.coding.sections import (
    Entry,
    Integers,
    Layout,
    Section,
    Sections,
    check_factors,
    check_sections,
    factor_entry,
    flattened,
)
from trainers.coding.stream import StreamReader
from trainers.echo import echo

__all__ = [
    "Contents",
    "Header",
    "Layout",
    "PartSize",
    "fingerprint",
    "in_fewest_bytes",
    "read",
    "read_fingerprint",
    "read_header",
    "take_apart",
    "write",
    "write_header",
]


@dataclass(frozen=True, kw_only=True)
class PartSize:
    """The bytes of one part of a file."""

    part: str
    """``header``, ``tokenizer``, ``vectors``, ``table``, ``tensor``, ``factor``, ``rounding`` or ``checksum``."""
    name: str
    """The tensor, table, vector or factor; empty for the other parts."""
    size_bytes: float
    kind: str = ""
    """How a tensor or a factor is stored: one of ``section_kinds.NAMES``."""


def fingerprint(layout: Layout) -> bytes:
    """Four bytes that change when a name, shape, dtype or the order changes."""
    text = json.dumps([[entry.name, list(entry.shape), entry.dtype] for entry in layout])
    return hashlib.sha256(text.encode()).digest()[:4]


def write(header: Header, layout: Layout, sections: Sections, *, show: Show = unseen) -> bytes:
    """Return the bytes of the whole file; ``show`` is told how far that is.

    Raises:
        ValueError: a section is missing, has a wrong shape or dtype, or holds NaN or infinity.
    """
    check_sections(layout, sections)
    entries, flat = flattened(layout, sections)
    meter = Meter(show, entries, passes=2)
    encodings = planning.plan(entries, flat, done=meter.add)
    by_kind = section_kinds.codecs_for(encodings, FORMAT_VERSION)
    out = write_header(header)
    out += fingerprint(layout)
    put_varint(out, len(sections.vectors))
    for vector in sections.vectors:
        put_varint(out, len(vector))
        out += vector.astype("<f2").tobytes()
    for encoding in encodings[: len(layout)]:
        _put_code(out, encoding)
    if sections.factors:
        put_varint(out, len(sections.factors))
    for encoding in encodings[len(layout) :]:
        rows, columns = encoding.entry.shape
        put_varint(out, rows)
        put_varint(out, columns)
        _put_code(out, encoding)
    encoder = Encoder()
    for encoding in encodings:
        by_kind[encoding.kind].write(encoding, flat, out, encoder)
        meter.add([encoding.entry])
    out += encoder.finish()
    return seal(out)


def read_header(data: bytes) -> Header:
    """Check that ``data`` is a whole, undamaged file of a known version, and return its header.

    Raises:
        RfzError: it is not; the message says which.
    """
    return take_header(unseal(data))


def read_fingerprint(data: bytes) -> bytes:
    """Return the fingerprint of the architecture that a file was written for; raises what ``read_header`` raises."""
    reader = unseal(data)
    take_header(reader)
    return reader.take(4)


def read(data: bytes, layout: Layout, build: section_kinds.Build = section_kinds.build_nothing) -> Sections:
    """Return the sections of a file whose architecture has ``layout``.

    Raises:
        RfzError: the file is damaged or was written for another architecture.
    """
    return take_apart(data, layout, build=build).sections


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A whole file, taken apart."""

    layout: Layout
    """The entries of the tensors, then those of the factors; those that the architecture builds say so."""
    sections: Sections
    coded: list[section_kinds.Coded]
    kinds: list[str]
    """What the kinds of the entries are called."""
    header_bytes: int
    """Without the tokenizer."""
    tokenizer_bytes: int
    stream_bytes: int

    def account(self) -> list[PartSize]:
        """The bytes of each part: tensors by information content, the rest as stored. They sum to the file's length."""
        sizes = [PartSize(part="header", name="", size_bytes=self.header_bytes)]
        if self.tokenizer_bytes:
            sizes.append(PartSize(part="tokenizer", name="", size_bytes=self.tokenizer_bytes))
        sizes += [
            PartSize(part="vectors", name=f"vector {index}", size_bytes=vector.nbytes)
            for index, vector in enumerate(self.sections.vectors)
        ]
        sizes += [
            PartSize(part="table", name=name, size_bytes=size)
            for coded in self.coded
            for name, size in coded.table_bytes.items()
        ]
        num_tensors = len(self.layout) - len(self.sections.factors)
        parts = ["tensor"] * num_tensors + ["factor"] * len(self.sections.factors)
        sizes += [
            PartSize(part=part, name=entry.name, size_bytes=coded.stored_bytes + coded.coded_bits / 8, kind=kind)
            for part, entry, coded, kind in zip(parts, self.layout, self.coded, self.kinds, strict=True)
        ]
        rounding = self.stream_bytes - sum(coded.coded_bits for coded in self.coded) / 8
        return [
            *sizes,
            PartSize(part="rounding", name="", size_bytes=rounding),
            PartSize(part="checksum", name="", size_bytes=CHECKSUM_BYTES),
        ]


def take_apart(
    data: bytes,
    layout: Layout,
    *,
    build: section_kinds.Build = section_kinds.build_nothing,
    show: Show = unseen,
    check: Callable[[], None] = unlimited,
) -> Contents:
    """Return the sections of a file, and where its bytes go; ``show`` is told how far that is.

    Raises what ``read`` raises, and what ``check`` raises, which is called before each piece of the stream. ``build``
    is called where the file leaves tensors to the architecture.
    """
    reader = unseal(data)
    header = take_header(reader)
    if reader.take(4) != fingerprint(layout):
        raise RfzError(
            f"the file was written for another version of architecture {echo(header.architecture)}: "
            "names, shapes or dtypes of its tensors differ from what this program builds"
        )
    vectors = tuple(
        np.frombuffer(reader.take(2 * reader.varint()), "<f2") for _ in _bounded(reader, reader.varint(), "vectors")
    )
    version = version_of(data)
    encodings = [_take_code(reader, entry, version) for entry in layout]
    if any(encoding.kind == section_kinds.MADE for encoding in encodings):
        encodings += _take_factors(reader, layout, version)
    header_bytes = reader.position - sum(vector.nbytes for vector in vectors)
    try:
        by_kind = section_kinds.codecs_for(encodings, version, build)
    except ValueError as error:
        raise RfzError(f"the file is malformed: {error}") from error
    finishes = [by_kind[encoding.kind].read(encoding, reader) for encoding in encodings]
    stream = reader.take(reader.remaining)
    decoder = Decoder(stream, check) if version == 1 else StreamReader(stream, check)
    meter = Meter(show, [encoding.entry for encoding in encodings], passes=1)
    coded = []
    for encoding, finish in zip(encodings, finishes, strict=True):
        coded.append(finish(decoder))
        meter.add([encoding.entry])
    decoder.finish()
    stored: dict[str, Section] = {
        encoding.entry.name: part.section
        for encoding, part in zip(encodings, coded, strict=True)
        if part.section is not None
    }
    factors = tuple(cast(Integers, stored.pop(encoding.entry.name)) for encoding in encodings[len(layout) :])
    sections = Sections(tensors=stored, vectors=vectors, factors=factors)
    try:
        check_sections(layout, sections)
    except ValueError as error:
        raise RfzError(f"the file is malformed: {error}") from error
    return Contents(
        layout=[replace(encoding.entry, built=part.built) for encoding, part in zip(encodings, coded, strict=True)],
        sections=sections,
        coded=coded,
        kinds=[section_kinds.NAMES[encoding.kind] for encoding in encodings],
        header_bytes=header_bytes - tokenizer_bytes(header),
        tokenizer_bytes=tokenizer_bytes(header),
        stream_bytes=len(stream),
    )


def _put_code(out: bytearray, encoding: section_kinds.Encoding) -> None:
    put_varint(out, encoding.kind + section_kinds.NUM_KINDS[FORMAT_VERSION] * encoding.argument)


def _take_code(reader: Reader, entry: Entry, version: int) -> section_kinds.Encoding:
    argument, kind = divmod(reader.varint(), section_kinds.NUM_KINDS[version])
    return section_kinds.Encoding(entry=entry, kind=kind, argument=argument)


def _take_factors(reader: Reader, layout: Layout, version: int) -> list[section_kinds.Encoding]:
    """Read the entries of the factors; they are checked before memory is taken for them."""
    encodings: list[section_kinds.Encoding] = []
    for index in _bounded(reader, reader.varint(), "factors"):
        shape = (reader.varint(), reader.varint())
        encodings.append(_take_code(reader, factor_entry(index, shape), version))
        if encodings[-1].unscaled.kind not in (section_kinds.INTEGERS, section_kinds.ADAPTIVE):
            raise RfzError(f"the file is malformed: factor {index} is of kind {encodings[-1].kind}: wanted integers")
    if not encodings:
        raise RfzError("the file is malformed: a tensor is made of factors, of which there are none")
    try:
        check_factors(layout, [encoding.entry for encoding in encodings])
    except ValueError as error:
        raise RfzError(f"the file is malformed: {error}") from error
    return encodings


def _bounded(reader: Reader, number: int, what: str) -> range:
    if number > reader.remaining:
        raise RfzError(f"the file is malformed: {number} {what} in {reader.remaining} bytes")
    return range(number)
