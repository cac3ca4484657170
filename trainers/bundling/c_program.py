"""Writes a compressed file as a program in C."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt
import torch

from trainers import seeding
from trainers.bundling.calls import Program, as_float, program_of
from trainers.bundling.input_shape import shape_of
from trainers.bundling.memory import places
from trainers.coding import container
from trainers.coding.header import version_of
from trainers.coding.sections import Integers, Layout
from trainers.compressed import Opened, open_bytes
from trainers.echo import echo

COMPILATION = "cc -O2 main.c net.c layers.c rfz.c -lm -o check"
MAX_VALUES = 1 << 28
"""The most floats that layers may pass on: their number is an int in C."""
_FIXED = {"trainers.coding.native": ("rfz.c", "rfz.h"), "trainers.bundling": ("layers.c", "layers.h", "main.c")}
_BYTES = {"bool": "RFZ_BOOL", "bfloat16": "RFZ_BFLOAT16"}
_MODEL_BYTES, _GRID_BYTES, _COLUMN_BYTES = 40 << 10, 14 << 10, 24
"""What the reader takes at most for its tables and model, for grids, and for each column of a tensor."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A program: its files, and what it needs."""

    files: dict[str, bytes]
    file_bytes: int
    ram_bytes: int
    """The reader's memory, the longest row of weights, and what layers pass on; without the stack."""


def bundle(opened: Opened, input_shape: Sequence[int] | None = None) -> Bundle:
    """Write a program that runs the network of a file, and checks itself on a test vector.

    Args:
        opened: the file; one of an older version is written anew.
        input_shape: the shape of one example; not needed where the architecture says it.

    Raises:
        ValueError: the C program does not have a layer of the network, or what its method decodes by.
    """
    if version_of(opened.data) == 1:
        opened = open_bytes(opened.recoded(), architecture=opened.architecture)
    network, layout = opened.network(), opened.form.layout
    shape = shape_of(opened, input_shape)
    program = program_of(network, shape)
    _check_order(program, layout)
    _check_arithmetic(opened)
    names, num_values = places(program)
    if max(num_values, *program.sizes) > MAX_VALUES:
        raise ValueError(f"layers pass on {num_values} values: wanted {MAX_VALUES} at most")
    arena, row = arena_bytes(opened), max((call.row for call in program.calls), default=1)
    sizes = {"NET_INPUTS": math.prod(shape), "NET_OUTPUTS": program.sizes[program.result]}
    inputs = np.random.default_rng(seeding.derive(0, "bundle")).integers(-128, 129, shape).astype(
        np.float32
    ) / np.float32(64)
    with torch.no_grad():
        outputs = network(torch.from_numpy(inputs)[None])[0].numpy()
    files = {
        name: resources.files(package).joinpath(name).read_bytes()
        for package, fixed in _FIXED.items()
        for name in fixed
    }
    written = {
        "net.h": _header(sizes),
        "net.c": "".join(_network(opened, program, names, arena=arena, row=row, num_values=num_values)),
        "test_vector.h": _test_vector(inputs, outputs),
    }
    return Bundle(
        files={**files, **{name: text.encode() for name, text in written.items()}},
        file_bytes=len(opened.data),
        ram_bytes=arena + 4 * (row + num_values),
    )


def _check_order(program: Program, layout: Layout) -> None:
    """Refuse a network that does not need its weights in the file's order: the program reads each once."""
    stored = {entry.name: entry for entry in layout if entry.dtype.startswith(("float", "bfloat"))}
    wanted = [(name, call.layer) for call in program.calls for name in call.tensors]
    for name, layer in wanted:
        if name not in stored or stored[name].dtype != "float32":
            dtype = stored[name].dtype if name in stored else "under another name"
            raise ValueError(f"layer {echo(layer)}: its weights are in the file as {dtype}: wanted float32, of its own")
    names = list(stored)
    for index, (name, layer) in enumerate(wanted):
        if index >= len(names) or names[index] != name:
            raise ValueError(
                f"layer {echo(layer)} needs {echo(name)} where the file has "
                f"{echo(names[index]) if index < len(names) else 'nothing'}: the C program reads each tensor once, in "
                "order, so wanted layers that are called in the order of their definition"
            )
    if len(wanted) < len(names):
        raise ValueError(f"no layer that is called has tensor {echo(names[len(wanted)])}: wanted one for each")


def _check_arithmetic(opened: Opened) -> None:
    """Refuse a file whose values are not integers times steps, nor raw values."""
    sections, method = opened.sections, opened.header.method
    num_steps = len(sections.vectors[0]) if sections.vectors else 0
    for entry in opened.form.layout:
        section = sections.tensors.get(entry.name)
        if section is None or (isinstance(section, Integers) and section.table >= num_steps and method != "ptq"):
            raise ValueError(
                f"method {method!r} computes {echo(entry.name)} from what the file holds by arithmetic that the reader "
                "in C does not have: docs/shipping.md lists what it has"
            )


def arena_bytes(opened: Opened) -> int:
    """At least as many bytes as the reader in C takes for a file, up to a thousand or so more."""
    sections = opened.sections
    kinds = {part.name: part.kind for part in opened.account() if part.part == "tensor"}
    most, num_symbols, planes = 0, 0, 0
    for entry in opened.form.layout:
        section, kind = sections.tensors.get(entry.name), kinds.get(entry.name)
        if not isinstance(section, Integers):
            continue
        rows = section.values.reshape(entry.shape[0] if len(entry.shape) > 1 else 1, -1)
        stored: tuple[int, ...]
        if kind == "integers":
            stored = rows.shape
            num_symbols += len(np.unique(rows)) + 1
        elif kind == "grid":
            stored, planes = rows.shape, _GRID_BYTES
        else:
            used = np.nonzero(rows)
            stored = tuple(int(axis.max()) + 1 if axis.size else 0 for axis in used)
        most = max(most, 4 * math.prod(stored) + _COLUMN_BYTES * max(stored))
    rest = 24 * (len(opened.form.layout) + len(sections.vectors) + len(sections.tensors) + 8) + 12 * num_symbols
    return (_MODEL_BYTES + planes + most + rest + 7) // 8 * 8


def _header(sizes: dict[str, int]) -> str:
    defined = "\n".join(f"#define {name} {size}" for name, size in sizes.items())
    return (
        f"#ifndef NET_H\n#define NET_H\n\n{defined}\n\n"
        "/* Runs the network on one example. Gives 0, or one of the errors of rfz.h. */\n"
        "int net_run(const float *input, float *output);\n\n#endif\n"
    )


def _network(
    opened: Opened, program: Program, names: list[str], *, arena: int, row: int, num_values: int
) -> Iterator[str]:
    layout = opened.form.layout
    yield f'/* Written by ratefront. Compile with: {COMPILATION} */\n#include "net.h"\n\n'
    yield '#include <math.h>\n#include <string.h>\n\n#include "layers.h"\n\n'
    yield f"static const uint8_t file[] = {{\n{_wrapped(f'0x{byte:02x}' for byte in opened.data)}\n}};\n\n"
    for index, entry in enumerate(layout):
        if entry.shape:
            yield f"static const uint32_t shape{index}[] = {{{', '.join(map(str, entry.shape))}}};\n"
    yield "static const rfz_tensor tensors[] = {\n"
    for index, entry in enumerate(layout):
        yield f"  {{0, {_dtype(entry.dtype)}, {len(entry.shape)}, {f'shape{index}' if entry.shape else 0}}},\n"
    prints = ", ".join(f"0x{byte:02x}" for byte in container.fingerprint(layout))
    yield f"}};\nstatic const uint8_t fingerprint[] = {{{prints}}};\n"
    yield f"static const rfz_network network = {{tensors, {len(layout)}, fingerprint}};\n\n"
    yield f"static uint64_t arena[{arena // 8}]; /* the reader's: its tables, and the integers of one tensor */\n"
    yield f"static float row[{row}];\nstatic float values[{max(num_values, 1)}]; /* what layers pass on */\n"
    yield "static net_state net;\n\nint net_run(const float *input, float *output) {\n"
    yield "  net_open(&net, file, sizeof file, &network, arena, sizeof arena, row);\n"
    for call in program.calls:
        yield f"  {call.text.format(*(names[one] for one in call.inputs), out=names[call.output])};\n"
    yield f"  memcpy(output, {names[program.result]}, NET_OUTPUTS * sizeof *output);\n  return net_close(&net);\n}}\n"


def _test_vector(inputs: npt.NDArray[np.float32], outputs: npt.NDArray[np.float32]) -> str:
    numbers = {"input": inputs, "output": outputs}
    return "\n".join(
        f"static const float test_{name}[] = {{\n{_wrapped(as_float(one) for one in array.ravel().tolist())}\n}};\n"
        for name, array in numbers.items()
    )


def _wrapped(items: Iterator[str]) -> str:
    found = list(items)
    return "\n".join(f"  {', '.join(found[start : start + 16])}," for start in range(0, len(found), 16))


def _dtype(name: str) -> str:
    if name in ("float16", "float32", "float64"):
        return f"RFZ_{name.upper()}"
    return _BYTES.get(name) or f"RFZ_BYTES{np.dtype(name).itemsize}"
