"""The coder of grids on latents of pictures: bytes against static tables and the coder of matrices, and speed.

    python -m benchmarks.grids kodim03.png kodim05.png                  # a minute or more for each picture and lambda
    python -m benchmarks.grids kodim03.png --steps 200 --keep FOLDER    # the latents are kept, and read from there

A picture, halved by boxes of 2 x 2, is fitted by seven grids (1 to 1/64 of its size), bilinear, and 163 weights that
mix them: mean squared error + lambda x bits for a pixel, each grid under a geometric density of its own.
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
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.report import print_machine, print_table, quartiles
from trainers.coding import planning, tables
from trainers.coding.coder import Encoder
from trainers.coding.contexts import ContextCoder
from trainers.coding.grid_model import GridModel
from trainers.coding.model import Notes
from trainers.coding.stream import StreamReader
from trainers.networks.grid import Grid

Ints = npt.NDArray[np.int32]

_NUM_LEVELS, _SIDE = 7, 16
_SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    parser.add_argument("--lam", nargs="+", type=float, default=[3e-3, 1e-3])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9, help="of each measurement of time")
    parser.add_argument("--keep", type=Path, help="a folder for the latents")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    GridModel().note(np.ones((2, 2), np.int32))  # loads what was compiled
    sizes, times = [], []
    for path in arguments.pictures:
        for lam in arguments.lam:
            latents = latents_of(path, lam, arguments.steps, arguments.keep)
            name = f"{path.stem}, lambda {lam:g}"
            sizes.append(size_row(name, latents))
            times.append(time_row(name, latents, arguments.rounds))
    heads = ["bytes", "one table", "a table a grid", "matrices", "blocks", "grids", "of a table a grid", "of blocks"]
    print_table("latents alone; blocks of 16 x 16 and matrices by the coder of matrices", heads, sizes)
    heads = ["ns of the processor for a value", "grids, written", "read", "blocks, written", "read"]
    print_table(f"medians, n = {arguments.rounds}; in brackets ratios to blocks with quartiles", heads, times)


def latents_of(path: Path, lam: float, steps: int, folder: Path | None) -> list[Ints]:
    """Fit a picture, or read what was fitted before."""
    kept = folder / f"{path.stem}_{lam:g}.npz" if folder else None
    if kept and kept.exists():
        with np.load(kept) as found:
            return [found[name] for name in found.files]
    latents = fit(picture(path), lam, steps)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, *latents)
    return latents


def picture(path: Path) -> Tensor:
    """Half of a picture's size, (1, 3, height, width), 0 to 1."""
    whole = torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).astype(np.float32)) / 255
    height, width = whole.shape[0] // 2 * 2, whole.shape[1] // 2 * 2
    return F.avg_pool2d(whole[:height, :width].permute(2, 0, 1)[None], 2)


def fit(target: Tensor, lam: float, steps: int) -> list[Ints]:
    """The integers of the grids that a picture is fitted by, the finest one first."""
    torch.manual_seed(_SEED)
    height, width = target.shape[2:]
    grids = [Grid(math.ceil(height / 2**level), math.ceil(width / 2**level)) for level in range(_NUM_LEVELS)]
    scales = nn.Parameter(torch.zeros(_NUM_LEVELS))
    layers = [nn.Conv2d(_NUM_LEVELS, 8, 1), nn.GELU(), nn.Conv2d(8, 8, 1), nn.GELU(), nn.Conv2d(8, 3, 1)]
    mix = nn.Sequential(*layers)
    with torch.no_grad():
        mix[0].weight.mul_(0.3)
        mix[-1].bias.fill_(0.5)
    latents = [grid.values for grid in grids]
    optimiser = torch.optim.Adam([{"params": latents, "lr": 0.08}, {"params": [*mix.parameters(), scales], "lr": 0.01}])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        bits, planes = torch.zeros(()), []
        for latent, scale in zip(latents, scales, strict=True):
            rounded = latent + (latent.round() - latent).detach()
            magnitudes = latent.abs() + (rounded.abs() - latent.abs()).detach()
            ratio = torch.exp(-1 / scale.exp())
            bits = bits + (magnitudes / scale.exp() - torch.log((1 - ratio) / (1 + ratio))).sum() / math.log(2)
            planes.append(F.interpolate(rounded[None, None], (height, width), mode="bilinear", align_corners=False))
        loss = F.mse_loss(mix(torch.cat(planes, 1)), target) + lam * bits / (height * width)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return [latent.detach().round().int().numpy() for latent in latents]


def blocks_of(grid: Ints, side: int = _SIDE) -> Ints:
    """A grid as blocks (blocks, 1, side, side); a shorter side is left whole."""
    height, width = (math.gcd(length, side) if length >= side else length for length in grid.shape)
    parts = grid.reshape(grid.shape[0] // height, height, grid.shape[1] // width, width).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(parts).reshape(-1, 1, height, width)


def noted(note: Callable[[Ints], Notes], tensors: Sequence[Ints]) -> list[Notes]:
    return [note(tensor) for tensor in tensors]


def size_row(name: str, latents: Sequence[Ints]) -> list[str]:
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
    return [name, *cells, f"{as_grids / each:.3f}", f"{as_grids / in_blocks:.3f}"]


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
