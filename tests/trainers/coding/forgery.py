"""Makes files as an attacker would, with a checksum that fits any content, and returns the error of opening one."""

from __future__ import annotations

import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from trainers.coding.bytestream import RfzError, put_varint
from trainers.compressed import load_compressed, open_bytes
from trainers.state_dicts import StateDict
from trainers.weights_only import WeightsOnly


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


def checkpoint(*, is_deflated: bool = True) -> bytes:
    """A file of tensors without a network, of several dtypes and with a tied one; its header is deflated or not."""
    generator = torch.Generator().manual_seed(0)
    given = {
        "conv.weight": torch.randn(4, 2, 3, 3, generator=generator),
        "conv.bias": torch.randn(4, generator=generator),
        "head.weight": torch.randn(5, 4, generator=generator).bfloat16(),
        "head": torch.randn(2, 2, generator=generator).double(),
        "steps": torch.tensor(7),
        "mask": torch.eye(9, dtype=torch.bool),
        "empty": torch.zeros(0, 3),
    }
    weights = WeightsOnly(StateDict(tensors=given, aliases={"last.weight": "head.weight"}, left_out=[]))
    opened = open_bytes(weights.written(0.1).data)
    return replace(opened, header=replace(opened.header, is_deflated=is_deflated)).recoded()
