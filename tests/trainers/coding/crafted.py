"""Makes small files that are well formed and cost their reader much: what docs/security.md measures.

    python -m tests.trainers.coding.crafted

measures each, in a process of its own, and prints the seconds and the memory that it took.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.trainers.coding.forgery import as_version_1
from trainers.architectures import ARCHITECTURES, tensors
from trainers.architectures.base import build_on_meta, layout_of
from trainers.coding import adaptive, container, section_kinds
from trainers.coding.bytestream import RfzError, put_varint, zigzag
from trainers.coding.coder import Encoder
from trainers.coding.contexts import ContextCoder
from trainers.coding.forms import matrix_shape
from trainers.coding.header import Header, seal
from trainers.coding.sections import Entry, Layout
from trainers.coding.structure import MAX_WIDTH


def constants(num_units: int) -> bytes:
    """A network of ``num_units`` inputs and outputs, of which nothing is stored."""
    out, layout = _begun("uncompressed", "mlp", {"hidden": [], "input_shape": [num_units], "num_outputs": num_units})
    put_varint(out, 0)
    for _ in layout:
        put_varint(out, section_kinds.CONSTANT)
    return seal(out)


def low_rank(num_units: int, rank: int) -> bytes:
    """A matrix that is a product of two factors, in which all values are one integer."""
    out, layout = _begun("low_rank", "mlp", {"hidden": [], "input_shape": [num_units], "num_outputs": num_units})
    put_varint(out, 1)  # a vector with one step
    put_varint(out, 1)
    out += np.ones(1, "<f2").tobytes()
    put_varint(out, section_kinds.MADE)
    put_varint(out, section_kinds.CONSTANT)
    for number in (1, 2 * num_units, rank, section_kinds.INTEGERS):
        put_varint(out, number)
    put_varint(out, zigzag(1))
    put_varint(out, 2 * num_units * rank)
    assert len(layout) == 2
    return seal(out)


def adaptive_file(
    architecture: str,
    arguments: dict[str, Any],
    value: int,
    *,
    num_axes: int = 1,
    coarseness: int = 0,
    is_coded: bool = True,
) -> bytes:
    """A file of version 1 whose tensors of ``num_axes`` are matrices of one ``value``; the others are zero.

    A vector is a matrix of one row, and each column of it a step. Without ``is_coded`` there is no stream.
    """
    out, layout = _begun("uncompressed", architecture, arguments, as_version_1)
    put_varint(out, 0)
    kinds = [section_kinds.ADAPTIVE if len(one.shape) == num_axes else section_kinds.CONSTANT for one in layout]
    for kind in kinds:
        put_varint(out, kind)
    encoder = Encoder()

    def port(ones: adaptive.Ints, bits: adaptive.Ints) -> adaptive.Ints:
        encoder.encode_bits(bits, ones)
        return bits

    for entry, kind in zip(layout, kinds, strict=True):
        if kind == section_kinds.ADAPTIVE:
            shape = matrix_shape(entry.shape)
            for number in (*shape, (MAX_WIDTH + 1) * coarseness):
                put_varint(out, number)
            if is_coded:
                adaptive.code(np.full(shape, value, np.int32), 0, coarseness, port)
    out += encoder.finish()
    return seal(out)


def many_symbols() -> bytes:
    """A network of thousands of tensors that share one table of as many symbols as a table may have."""
    out, layout = _begun("uncompressed", "resnet_cifar", {"depth": 1202})
    put_varint(out, 0)
    num_values = 0
    for entry in layout:
        is_coded = entry.dtype == "float32"
        put_varint(out, section_kinds.INTEGERS if is_coded else section_kinds.CONSTANT)
        num_values += entry.num_values if is_coded else 0
    put_varint(out, zigzag(0))
    for _ in range((1 << 16) - 1):
        put_varint(out, 1)
    put_varint(out, num_values - (1 << 16) + 1)
    out += bytes(4 * 1000)
    return seal(out)


def contexts_file(architecture: str, arguments: dict[str, Any], value: int, num_words: int | None = None) -> bytes:
    """A network whose tensors are all coded by contexts, with one ``value``; or a stream of ``num_words`` zeros."""
    out, layout = _begun("uncompressed", architecture, arguments)
    put_varint(out, 0)
    for _ in layout:
        put_varint(out, section_kinds.ADAPTIVE)
    coder, encoder = ContextCoder(), Encoder()
    for entry in layout if num_words is None else ():
        notes = coder.note(np.full(entry.shape, value, np.int32))
        encoder.encode_bits(notes.bits.astype(np.int64), notes.ones.astype(np.int64))
    out += encoder.finish() if num_words is None else bytes(4 * num_words)
    return seal(out)


def many_names() -> bytes:
    """As many tensors without a network as there may be, of one value and sixteen axes each."""
    entries = {
        str(index): Entry(name=str(index), shape=(1,) * 16, dtype="float32") for index in range(tensors.MOST_TENSORS)
    }
    arguments = {"tree": tensors.tree_of(entries, {})}
    header = Header(method="ecq", method_version=1, architecture=tensors.NAME, arguments=arguments, is_deflated=True)
    layout = layout_of(build_on_meta(tensors.NAME, tensors.tensors, arguments))
    constants = b"\0" + bytes([section_kinds.CONSTANT]) * len(layout)  # no vectors
    return seal(container.write_header(header) + container.fingerprint(layout) + constants)


def _begun(
    method: str, architecture: str, arguments: dict[str, Any], head: Callable[[bytes], bytes] = bytes
) -> tuple[bytearray, Layout]:
    header = Header(method=method, method_version=1, architecture=architecture, arguments=arguments)
    layout = layout_of(build_on_meta(architecture, ARCHITECTURES[architecture], arguments))
    return bytearray(head(bytes(container.write_header(header)))) + container.fingerprint(layout), layout


SQUARE = {"hidden": [], "input_shape": [2048], "num_outputs": 2048}


def lines(number: int) -> dict[str, Any]:
    """The arguments of an ``mlp`` with ``number`` vectors of 1024 values."""
    return {"hidden": [1024, 1] * number, "input_shape": [1], "num_outputs": 1}


CASES: dict[str, Callable[[], bytes]] = {
    "constants": lambda: constants(16_000),
    "low rank": lambda: low_rank(15_900, 7_949),
    "low rank, at the limit": lambda: low_rank(15_900, 2_100),
    "narrow, ones": lambda: adaptive_file("mlp", lines(32), 1),
    "narrow, sixteens": lambda: adaptive_file("mlp", lines(32), 16),
    "narrow, sixteens, at the limit": lambda: adaptive_file("mlp", lines(7), 16),
    "narrow, large, at the limit": lambda: adaptive_file("mlp", lines(7), 1 << 30),
    "coarse": lambda: adaptive_file("mlp", SQUARE, 1, num_axes=2, coarseness=9),
    "contexts, ones": lambda: contexts_file("mlp", SQUARE, 1),
    "contexts, sixteens": lambda: contexts_file("mlp", SQUARE, 16),
    "contexts, large": lambda: contexts_file("mlp", SQUARE, 1 << 30),
    "contexts, zeros": lambda: contexts_file("mlp", {**SQUARE, "hidden": [4096, 4096]}, 0, num_words=100),
    "contexts, one row": lambda: contexts_file(
        "mlp", {"hidden": [], "input_shape": [16, 1 << 20], "num_outputs": 1}, 1
    ),
    "many symbols": many_symbols,
    "many names": many_names,
}


def _measure(name: str, data: bytes) -> None:
    from trainers.compressed import open_compressed  # what importing takes is no file's cost

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.rfz"
        path.write_bytes(data)
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        try:
            opened = open_compressed(path)
            _ = opened.state_dict() if opened.is_weights_only else opened.network()
            outcome = "decoded"
        except RfzError as error:
            outcome = str(error).removeprefix(f"{path}: ")[:120]
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1000
        print(
            f"{name}: {len(data)} bytes, {time.process_time() - started:.1f} s, {grown_mb:.0f} MB, {outcome}",
            flush=True,
        )


def main(names: list[str]) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name, make in CASES.items():
        if not names or name in names:
            child = multiprocessing.get_context("spawn").Process(target=_measure, args=(name, make()))
            child.start()
            child.join()


if __name__ == "__main__":
    main(sys.argv[1:])
