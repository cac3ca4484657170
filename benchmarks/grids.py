"""The coder of grids on the latents of pictures: bytes against static tables and the coder of matrices, and speed.

    python -m benchmarks.grids results/kodak_grids/frontier/*.rfz    # a minute

The whole numbers of the grids in each file, as ``epr`` trained them, are coded in several ways.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.report import print_machine, print_table, quartiles
from trainers.architectures.base import layout_of
from trainers.coding import container, planning, tables
from trainers.coding.coder import Encoder
from trainers.coding.contexts import ContextCoder
from trainers.coding.grid_model import GridModel
from trainers.coding.model import Notes
from trainers.coding.sections import Integers
from trainers.coding.stream import StreamReader
from trainers.compressed import open_compressed

Ints = npt.NDArray[np.int32]

_SIDE = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.rfz")
    parser.add_argument("--rounds", type=int, default=9, help="of each measurement of time")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    GridModel().note(np.ones((2, 2), np.int32))  # loads what was compiled
    sizes, times, ratios = [], [], []
    for path in arguments.files:
        latents = latents_of(path)
        row, ratio = size_row(path.stem, latents)
        sizes.append(row)
        ratios.append(ratio)
        times.append(time_row(path.stem, latents, arguments.rounds))
    heads = ["bytes", "one table", "a table a grid", "matrices", "blocks", "grids", "of a table a grid", "of blocks"]
    print_table("latents alone; blocks of 16 x 16 and matrices by the coder of matrices", heads, sizes)
    print_table(
        f"grids against others, medians with quartiles, n = {len(ratios)}",
        ["one table", "a table a grid", "blocks"],
        [[quartiles(column) for column in zip(*ratios, strict=True)]],
    )
    heads = ["ns of the processor for a value", "grids, written", "read", "blocks, written", "read"]
    print_table(f"medians, n = {arguments.rounds}; in brackets ratios to blocks with quartiles", heads, times)


def latents_of(path: Path) -> list[Ints]:
    """The whole numbers of the grids in a file, the finest one first."""
    tensors = container.read(path.read_bytes(), layout_of(open_compressed(path).plain)).tensors
    return [one.values for name, one in tensors.items() if name.startswith("grids.") and isinstance(one, Integers)]


def blocks_of(grid: Ints, side: int = _SIDE) -> Ints:
    """A grid as blocks (blocks, 1, side, side); a shorter side is left whole."""
    height, width = (math.gcd(length, side) if length >= side else length for length in grid.shape)
    parts = grid.reshape(grid.shape[0] // height, height, grid.shape[1] // width, width).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(parts).reshape(-1, 1, height, width)


def noted(note: Callable[[Ints], Notes], tensors: Sequence[Ints]) -> list[Notes]:
    return [note(tensor) for tensor in tensors]


def size_row(name: str, latents: Sequence[Ints]) -> tuple[list[str], tuple[float, float, float]]:
    """The cells, and the bytes as grids over those of one table, of a table a grid, and of blocks."""
    blocks = [blocks_of(grid) for grid in latents]
    one, each = (
        sum(planning.static_bits(tables.count(group)) for group in groups) / 8
        for groups in ([latents], [[grid] for grid in latents])
    )
    matrices, in_blocks, as_grids = (
        sum(notes.information_bits() for notes in noted(note, tensors)) / 8
        for note, tensors in (
            (ContextCoder().note, latents),
            (ContextCoder().note, blocks),
            (GridModel().note, latents),
        )
    )
    cells = [f"{size:,.0f}" for size in (one, each, matrices, in_blocks, as_grids)]
    ratios = as_grids / one, as_grids / each, as_grids / in_blocks
    return [name, *cells, f"{ratios[1]:.3f}", f"{ratios[2]:.3f}"], ratios


def time_row(name: str, latents: Sequence[Ints], num_rounds: int) -> list[str]:
    blocks, num_values = [blocks_of(grid) for grid in latents], sum(grid.size for grid in latents)
    rounds = [[*round_trip(GridModel, latents), *round_trip(ContextCoder, blocks)] for _ in range(num_rounds)]
    medians = 1e9 * np.median(rounds, axis=0) / num_values
    ratios = [quartiles([one[index] / one[index + 2] for one in rounds]) for index in (0, 1)]
    return [
        name,
        f"{medians[0]:.0f} ({ratios[0]})",
        f"{medians[1]:.0f} ({ratios[1]})",
        f"{medians[2]:.0f}",
        f"{medians[3]:.0f}",
    ]


def round_trip(model: type[GridModel] | type[ContextCoder], tensors: Sequence[Ints]) -> tuple[float, float]:
    """Seconds of the processor to note all tensors, and to read them from a stream."""
    started = time.process_time()
    notes = noted(model().note, tensors)
    note_s = time.process_time() - started
    encoder = Encoder()
    for one in notes:
        encoder.encode_bits(one.bits.astype(np.int64), one.ones.astype(np.int64))
    reader, reading = StreamReader(encoder.finish()), model()
    started = time.process_time()
    found = [reading.read(tensor.shape, reader) for tensor in tensors]
    read_s = time.process_time() - started
    assert all(np.array_equal(one, other) for one, other in zip(found, tensors, strict=True))
    return note_s, read_s


if __name__ == "__main__":
    main()
