"""The beginning and the end of a ``.rfz`` file: its version, method and architecture; its checksum."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

from trainers.coding import plaindata
from trainers.coding.bytestream import Reader, RfzError, put_bytes, put_varint

MAGIC = b"RFZ"
FORMAT_VERSION = 2
"""The version that is written. Version 1 is read."""
_READ = (1, 2)
CHECKSUM_BYTES = 4
_NO_FLAGS = 0
"""Flags say what is added to a file; a reader refuses those that it does not know. So far there are none."""
_MAX_TEXT_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Header:
    """The method that wrote the file, and the architecture that it was written for."""

    method: str
    method_version: int
    architecture: str
    arguments: dict[str, Any] = field(default_factory=dict)
    """The architecture's keyword arguments that differ from their defaults."""


def write_header(header: Header) -> bytearray:
    """Return the bytes with which a file begins.

    Raises:
        ValueError: the arguments are not plain data, or a text is longer than a header may hold.
    """
    try:
        arguments = plaindata.encode(header.arguments)
    except ValueError as error:
        raise ValueError(f"the arguments of architecture {header.architecture!r} are no plain data: {error}") from error
    out = bytearray(MAGIC)
    out.append(FORMAT_VERSION)
    put_varint(out, _NO_FLAGS)
    _put(out, header.method.encode())
    out.append(header.method_version)
    _put(out, header.architecture.encode())
    _put(out, arguments)
    return out


def seal(out: bytearray) -> bytes:
    """The whole file: ``out`` and its checksum."""
    return bytes(out) + zlib.crc32(out).to_bytes(CHECKSUM_BYTES, "little")


def version_of(data: bytes) -> int:
    """The version of the format of a file that ``unseal`` has taken."""
    return data[len(MAGIC)]


def unseal(data: bytes) -> Reader:
    """Check that ``data`` is a whole, undamaged file of a known version; return a reader of its header.

    Raises:
        RfzError: it is not; the message says which.
    """
    if not data:
        raise RfzError("not a .rfz file: it is empty")
    if data[: len(MAGIC)] != MAGIC:
        raise RfzError(f"not a .rfz file: it starts with {data[:4]!r}, wanted {MAGIC!r}")
    if len(data) <= len(MAGIC) + 1 + CHECKSUM_BYTES:
        raise RfzError(f"the file is truncated: it has {len(data)} bytes")
    version = data[len(MAGIC)]
    if version not in _READ:
        mend = ": use a newer ratefront" if version > FORMAT_VERSION else ""
        raise RfzError(f"the file has format version {version}, this ratefront reads 1 and 2{mend}")
    body, checksum = data[:-CHECKSUM_BYTES], int.from_bytes(data[-CHECKSUM_BYTES:], "little")
    if zlib.crc32(body) != checksum:
        raise RfzError("the file is damaged or truncated: its checksum does not match")
    reader = Reader(body)
    reader.take(len(MAGIC) + 1)
    if version > 1 and reader.varint() != _NO_FLAGS:
        raise RfzError("the file was written by a newer ratefront: it has flags that this one does not know")
    return reader


def take_header(reader: Reader) -> Header:
    """Read what ``write_header`` wrote after the version.

    Raises:
        RfzError: it is malformed.
    """
    try:
        method = reader.prefixed_bytes(at_most=_MAX_TEXT_BYTES).decode()
        (method_version,) = reader.take(1)
        architecture = reader.prefixed_bytes(at_most=_MAX_TEXT_BYTES).decode()
    except UnicodeDecodeError as error:
        raise RfzError(f"the header is malformed: {error}") from error
    arguments = plaindata.decode(reader.prefixed_bytes(at_most=_MAX_TEXT_BYTES))
    return Header(method=method, method_version=method_version, architecture=architecture, arguments=arguments)


def _put(out: bytearray, text: bytes) -> None:
    if len(text) > _MAX_TEXT_BYTES:
        raise ValueError(f"a file's header has no room for {len(text)} bytes (at most {_MAX_TEXT_BYTES}): {text!r}")
    put_bytes(out, text)
