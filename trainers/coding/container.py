"""The ``.rfz`` file, format version 1: a lean header, typed sections, one coded stream, a checksum.

    bytes       what
    3           magic "RFZ"
    1           format version
    text, 1     method and its version
    text, text  architecture name, and its non-default arguments as JSON
    4           fingerprint of the architecture's ``state_dict``: names, shapes, dtypes in order
    varint      number of the method's vectors; for each a varint length and that many float16
    varints     for each tensor in order: 0 raw in its own dtype, 1 raw float16, 2 + t integers with table t
    tables      for each table in order: see tables.py
    raw         the raw tensors in order
    stream      all integers, tensor by tensor, in one range-coder stream: up to the checksum
    4           CRC-32 of everything before

Text is a varint length and UTF-8. Everything is little-endian. Counts and shapes come from the architecture,
never from the file, so a hostile file cannot ask for memory.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.coding import tables
from trainers.coding.bytestream import Reader, RfzError, put_bytes, put_varint
from trainers.coding.coder import Decoder, Encoder, information_bits
from trainers.coding.sections import Integers, Raw, Section, Sections

MAGIC = b"RFZ"
FORMAT_VERSION = 1
_MAX_TEXT_BYTES = 4096
_MAX_NESTING = 8
_CHECKSUM_BYTES = 4
_RAW, _HALF, _FIRST_TABLE = 0, 1, 2
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
class Header:
    """Which method wrote the file, and for which architecture."""

    method: str
    method_version: int
    architecture: str
    arguments: dict[str, Any] = field(default_factory=dict)
    """The architecture's keyword arguments that differ from their defaults."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """One line of the account of a file: ``part`` is header, vectors, table, tensor, rounding or checksum."""

    part: str
    name: str
    size_bytes: float


def fingerprint(layout: Layout) -> bytes:
    """Four bytes that change when a name, shape, dtype or the order changes."""
    text = json.dumps([[entry.name, list(entry.shape), entry.dtype] for entry in layout])
    return hashlib.sha256(text.encode()).digest()[:4]


def write(header: Header, layout: Layout, sections: Sections) -> bytes:
    """The whole file.

    Raises:
        ValueError: a section is missing, has a wrong shape or dtype, or holds NaN or infinity.
    """
    _check_sections(layout, sections)
    integers = _by_table(sections)
    coded = [tables.count([sections.tensors[name].values for name in names]) for names in integers]  # type: ignore[misc]
    out = write_header(header)
    out += fingerprint(layout)
    put_varint(out, len(sections.vectors))
    for vector in sections.vectors:
        put_varint(out, len(vector))
        out += vector.astype("<f2").tobytes()
    for entry in layout:
        put_varint(out, _kind(entry, sections.tensors[entry.name]))
    for table in coded:
        tables.write_table(out, table)
    encoder = Encoder()
    for entry in layout:
        section = sections.tensors[entry.name]
        if isinstance(section, Raw):
            out += section.values.astype(section.values.dtype.newbyteorder("<")).tobytes()
        else:
            table = coded[section.table]
            encoder.encode(table.index(section.values.ravel()), table.counts)
    out += encoder.finish()
    out += zlib.crc32(out).to_bytes(_CHECKSUM_BYTES, "little")
    return bytes(out)


def write_header(header: Header) -> bytearray:
    """How a file begins.

    Raises:
        ValueError: the header is no plain data, or longer than a file may have it.
    """
    try:
        arguments = json.dumps(header.arguments, separators=(",", ":"), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the arguments of architecture {header.architecture!r} are no plain data: {error}") from error
    if not _is_shallow(header.arguments, _MAX_NESTING):
        raise ValueError(f"the arguments of architecture {header.architecture!r} nest deeper than {_MAX_NESTING}")
    out = bytearray(MAGIC)
    out.append(FORMAT_VERSION)
    _put_text(out, header.method)
    out.append(header.method_version)
    _put_text(out, header.architecture)
    _put_text(out, arguments if header.arguments else "")
    return out


def read_header(data: bytes) -> Header:
    """Check that ``data`` is a whole, undamaged file of a known version, and say what it holds.

    Raises:
        RfzError: it is not; the message says which.
    """
    return _read_header(_open(data))


def read(data: bytes, layout: Layout) -> Sections:
    """The sections of a file whose architecture has ``layout``.

    Raises:
        RfzError: the file is damaged or was written for another architecture.
    """
    return _read(data, layout)[0]


def account(data: bytes, layout: Layout) -> list[Share]:
    """Where the bytes go: information content for each tensor, the rest as stored. Sums to ``len(data)``."""
    sections, coded, sizes = _read(data, layout)
    shares = [Share(part="header", name="", size_bytes=sizes["header"])]
    shares += [
        Share(part="vectors", name=f"vector {index}", size_bytes=vector.nbytes)
        for index, vector in enumerate(sections.vectors)
    ]
    shares += [Share(part="table", name=f"table {index}", size_bytes=size) for index, (_, size) in enumerate(coded)]
    content = 0.0
    for entry in layout:
        section = sections.tensors[entry.name]
        if isinstance(section, Raw):
            shares.append(Share(part="tensor", name=entry.name, size_bytes=section.values.nbytes))
        else:
            table = coded[section.table][0]
            bits = (
                information_bits(table.counts)[table.index(section.values.ravel())].sum() / 8
                if entry.num_values
                else 0.0
            )
            content += float(bits)
            shares.append(Share(part="tensor", name=entry.name, size_bytes=float(bits)))
    shares.append(Share(part="rounding", name="", size_bytes=sizes["stream"] - content))
    return [*shares, Share(part="checksum", name="", size_bytes=_CHECKSUM_BYTES)]


def _put_text(out: bytearray, text: str) -> None:
    encoded = text.encode()
    if len(encoded) > _MAX_TEXT_BYTES:
        raise ValueError(f"a file's header has no room for {len(encoded)} bytes (at most {_MAX_TEXT_BYTES}): {text!r}")
    put_bytes(out, encoded)


def _open(data: bytes) -> Reader:
    if not data:
        raise RfzError("not a .rfz file: it is empty")
    if data[: len(MAGIC)] != MAGIC:
        raise RfzError(f"not a .rfz file: it starts with {data[:4]!r}, wanted {MAGIC!r}")
    if len(data) <= len(MAGIC) + 1 + _CHECKSUM_BYTES:
        raise RfzError(f"the file is truncated: it has {len(data)} bytes")
    version = data[len(MAGIC)]
    if version != FORMAT_VERSION:
        raise RfzError(
            f"the file has format version {version}, this ratefront reads {FORMAT_VERSION}: use a newer ratefront"
        )
    body, checksum = data[:-_CHECKSUM_BYTES], int.from_bytes(data[-_CHECKSUM_BYTES:], "little")
    if zlib.crc32(body) != checksum:
        raise RfzError("the file is damaged or truncated: its checksum does not match")
    reader = Reader(body)
    reader.take(len(MAGIC) + 1)
    return reader


def _read_header(reader: Reader) -> Header:
    try:
        method = reader.prefixed_bytes(at_most=_MAX_TEXT_BYTES).decode()
        (method_version,) = reader.take(1)
        architecture = reader.prefixed_bytes(at_most=_MAX_TEXT_BYTES).decode()
        text = reader.prefixed_bytes(at_most=_MAX_TEXT_BYTES).decode()
        arguments = json.loads(text) if text else {}
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise RfzError(f"the header is malformed: {error}") from error
    if not isinstance(arguments, dict):
        raise RfzError(
            f"the header is malformed: architecture arguments are {type(arguments).__name__}, wanted a mapping"
        )
    if not _is_shallow(arguments, _MAX_NESTING):
        raise RfzError(f"the header is malformed: architecture arguments nest deeper than {_MAX_NESTING}")
    return Header(method=method, method_version=method_version, architecture=architecture, arguments=arguments)


def _is_shallow(value: Any, levels: int) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return levels >= 0 and all(_is_shallow(item, levels - 1) for item in items)


def _read(data: bytes, layout: Layout) -> tuple[Sections, list[tuple[tables.Table, int]], dict[str, int]]:
    """Sections, each table with its stored size, and the sizes of header and stream."""
    reader = _open(data)
    header = _read_header(reader)
    if reader.take(4) != fingerprint(layout):
        raise RfzError(
            f"the file was written for another version of architecture {header.architecture!r}: "
            "names, shapes or dtypes of its tensors differ from what this program builds"
        )
    vectors = tuple(np.frombuffer(reader.take(2 * reader.varint()), "<f2") for _ in _bounded(reader, reader.varint()))
    kinds = [reader.varint() for _ in layout]
    header_bytes = reader.position - sum(vector.nbytes for vector in vectors)
    coded = _read_tables(reader, layout, kinds)
    tensors: dict[str, Section] = {}
    for entry, kind in zip(layout, kinds, strict=True):
        if kind < _FIRST_TABLE:
            dtype = np.dtype(entry.dtype if kind == _RAW else "float16").newbyteorder("<")
            flat = np.frombuffer(reader.take(entry.num_values * dtype.itemsize), dtype)
            if dtype.kind == "b" and (flat.view(np.uint8) > 1).any():
                raise RfzError(f"the file is malformed: tensor {entry.name!r} holds a truth value that is not 0 or 1")
            tensors[entry.name] = Raw(values=flat.reshape(entry.shape).astype(dtype.newbyteorder("=")))
    stream = reader.take(reader.remaining)
    decoder = Decoder(stream)
    for entry, kind in zip(layout, kinds, strict=True):
        if kind >= _FIRST_TABLE:
            table = coded[kind - _FIRST_TABLE][0]
            indices = decoder.decode(table.counts, entry.num_values)
            values = table.symbols[indices] if entry.num_values else np.zeros(0, np.int32)
            tensors[entry.name] = Integers(values=values.reshape(entry.shape), table=kind - _FIRST_TABLE)
    decoder.finish()
    sections = Sections(tensors={entry.name: tensors[entry.name] for entry in layout}, vectors=vectors)
    try:
        _check_sections(layout, sections)
    except ValueError as error:
        raise RfzError(f"the file is malformed: {error}") from error
    _check_counts(sections, [table for table, _ in coded])
    return sections, coded, {"header": header_bytes, "stream": len(stream)}


def _read_tables(reader: Reader, layout: Layout, kinds: list[int]) -> list[tuple[tables.Table, int]]:
    num_tables = max((kind - _FIRST_TABLE + 1 for kind in kinds), default=0)
    if num_tables > len(layout):
        raise RfzError(f"the file is malformed: {num_tables} tables for {len(layout)} tensors")
    coded = []
    for index in range(max(num_tables, 0)):
        total = sum(e.num_values for e, kind in zip(layout, kinds, strict=True) if kind == _FIRST_TABLE + index)
        start = reader.position
        table = tables.read_table(reader, total)
        coded.append((table, reader.position - start))
    return coded


def _check_counts(sections: Sections, coded: list[tables.Table]) -> None:
    # The tables hold exact counts, so a wrong stream under a recomputed checksum is still noticed.
    for index, names in enumerate(_by_table(sections)):
        found = tables.count([sections.tensors[name].values for name in names])  # type: ignore[misc]
        if not (
            np.array_equal(found.symbols, coded[index].symbols) and np.array_equal(found.counts, coded[index].counts)
        ):
            raise RfzError("the coded stream is damaged: its symbols do not match their frequency table")


def _by_table(sections: Sections) -> list[list[str]]:
    """Names of the integer tensors of each table."""
    used = [section.table for section in sections.tensors.values() if isinstance(section, Integers)]
    names: list[list[str]] = [[] for _ in range(max(used, default=-1) + 1)]
    for name, section in sections.tensors.items():
        if isinstance(section, Integers):
            names[section.table].append(name)
    return names


def _kind(entry: Entry, section: Section) -> int:
    if isinstance(section, Integers):
        return _FIRST_TABLE + section.table
    return _RAW if section.values.dtype == np.dtype(entry.dtype) else _HALF


def _bounded(reader: Reader, number: int) -> range:
    if number > reader.remaining:
        raise RfzError(f"the file is malformed: {number} vectors in {reader.remaining} bytes")
    return range(number)


def _check_sections(layout: Layout, sections: Sections) -> None:
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
    # contiguity of table numbers keeps the reader's bound on their number exact
    used = {section.table for section in sections.tensors.values() if isinstance(section, Integers)}
    if used != set(range(len(used))):
        raise ValueError(f"tables are numbered {sorted(used)}: wanted 0 to {len(used) - 1} without a gap")
