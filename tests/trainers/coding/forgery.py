"""Makes files as an attacker would, with a checksum that fits any content, and returns the error of opening one."""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from trainers.coding.bytestream import RfzError, put_varint
from trainers.compressed import load_compressed


def sealed(data: bytes) -> bytes:
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


def error_of(path: Path, data: bytes, **options: Any) -> str:
    """The error's message without the file's name, which comes first."""
    path = path / "x.rfz"
    path.write_bytes(data)
    started = time.perf_counter()
    with pytest.raises(RfzError) as caught:
        load_compressed(path, **options)
    assert time.perf_counter() - started < 2
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable(), "one line"
    return message.removeprefix(f"{path}: ")


def as_version_1(head: bytes) -> bytes:
    """A header of version 2 as version 1 has it: without flags."""
    return head[:3] + b"\1" + head[5:]


def varints(*values: int) -> bytes:
    out = bytearray()
    for value in values:
        put_varint(out, value)
    return bytes(out)
