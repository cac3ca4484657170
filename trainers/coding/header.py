"""The beginning and the end of a ``.rfz`` file: its version, method and architecture; its checksum."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

from trainers.coding import plaindata
from trainers.coding.bytestream import Reader, RfzError, put_bytes, put_varint
from trainers.echo import echo

MAGIC = b"RFZ"
FORMAT_VERSION = 2
"""The version that is written. Version 1 is read."""
_READ = (1, 2)
CHECKSUM_BYTES = 4
_DEFLATED = 1
"""The one flag that there is: the arguments are deflated. A reader refuses flags that it does not know."""
_MAX_TEXT_BYTES = 4096
_MAX_INFLATED_BYTES = 1 << 20
"""The most bytes of deflated arguments, before and after."""
_LONG_BYTES = 512
"""Shorter arguments are stored as they are."""
TOKENIZER = ("characters", "pieces")
"""The arguments that say what a network's tokens are."""
_RAW_DEFLATE = -15
"""What zlib calls its largest window, without a header and a checksum of its own."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The method that wrote the file, and the architecture that it was written for."""

    method: str
    method_version: int
    architecture: str
    arguments: dict[str, Any] = field(default_factory=dict)
    """The architecture's keyword arguments that differ from their defaults."""
    is_deflated: bool = False
    """Whether the arguments are stored deflated: they are long where they list tensors, or pieces of words."""


class FileReader(Reader):
    """Reads a file from its header on."""

    is_deflated: bool
    """Whether its flags say that the arguments are deflated."""


def in_fewest_bytes(header: Header) -> Header:
    """The header with its arguments deflated, where they are long and take fewer bytes so.

    Raises:
        ValueError: the arguments are not plain data, or longer than a header may hold.
    """
    arguments = _encoded(header)
    is_long = len(arguments) > _LONG_BYTES
    return replace(header, is_deflated=True) if is_long and len(_deflated(arguments)) < len(arguments) else header


def tokenizer_bytes(header: Header) -> int:
    """The bytes that a header takes to say what the network's tokens are."""
    rest = {name: value for name, value in header.arguments.items() if name not in TOKENIZER}
    whole, without = (
        len(_deflated(arguments) if header.is_deflated else arguments)
        for arguments in (_encoded(header), _encoded(replace(header, arguments=rest)))
    )
    return whole - without


def write_header(header: Header) -> bytearray:
    """Return the bytes with which a file begins.

    Raises:
        ValueError: the arguments are not plain data, or a text is longer than a header may hold.
    """
    arguments = _encoded(header)
    out = bytearray(MAGIC)
    out.append(FORMAT_VERSION)
    put_varint(out, _DEFLATED if header.is_deflated else 0)
    _put(out, header.method.encode())
    out.append(header.method_version)
    _put(out, header.architecture.encode())
    if header.is_deflated:
        _put(out, _deflated(arguments), at_most=_MAX_INFLATED_BYTES)
    else:
        _put(out, arguments)
    return out


def seal(out: bytearray) -> bytes:
    """The whole file: ``out`` and its checksum."""
    return bytes(out) + zlib.crc32(out).to_bytes(CHECKSUM_BYTES, "little")


def version_of(data: bytes) -> int:
    """The version of the format of a file that ``unseal`` has taken."""
    return data[len(MAGIC)]


def unseal(data: bytes) -> FileReader:
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
    reader = FileReader(body)
    reader.take(len(MAGIC) + 1)
    flags = reader.varint() if version > 1 else 0
    if flags not in (0, _DEFLATED):
        raise RfzError("the file was written by a newer ratefront: it has flags that this one does not know")
    reader.is_deflated = flags == _DEFLATED
    return reader


def take_header(reader: FileReader) -> Header:
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
    if reader.is_deflated:
        arguments = _inflated(reader.prefixed_bytes(at_most=_MAX_INFLATED_BYTES))
    else:
        arguments = reader.prefixed_bytes(at_most=_MAX_TEXT_BYTES)
    return Header(
        method=method,
        method_version=method_version,
        architecture=architecture,
        arguments=plaindata.decode(arguments),
        is_deflated=reader.is_deflated,
    )


def _encoded(header: Header) -> bytes:
    try:
        return plaindata.encode(header.arguments)
    except ValueError as error:
        raise ValueError(f"the arguments of architecture {header.architecture!r} are no plain data: {error}") from error


def _put(out: bytearray, text: bytes, *, at_most: int = _MAX_TEXT_BYTES) -> None:
    if len(text) > at_most:
        raise ValueError(f"a file's header has no room for {len(text)} bytes (at most {at_most}): {echo(text)}")
    put_bytes(out, text)


def _deflated(data: bytes) -> bytes:
    if len(data) > _MAX_INFLATED_BYTES:
        raise ValueError(f"a file's header has no room for {len(data)} bytes (at most {_MAX_INFLATED_BYTES})")
    deflating = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, _RAW_DEFLATE)
    return deflating.compress(data) + deflating.flush()


def _inflated(data: bytes) -> bytes:
    inflating = zlib.decompressobj(_RAW_DEFLATE)
    try:
        found = inflating.decompress(data, _MAX_INFLATED_BYTES)  # no more memory is taken, whatever the bytes say
    except zlib.error as error:
        raise RfzError(f"the header is malformed: its arguments cannot be inflated ({error})") from error
    if not inflating.eof or inflating.unused_data:
        raise RfzError("the header is malformed: its arguments are no whole deflated text, or a longer one than may be")
    return found
