"""A picture as latent grids: a training step of epr against the same step of plain training, and drawing a file.

    python -m benchmarks.signals kodim03.png        # two minutes

Steps are of the picture halved by boxes of 2 x 2, in blocks in turn; what is drawn is the picture at its own size. One
thread, time of the processor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.report import print_machine, print_table, quartiles
from benchmarks.training_step import BLOCK, ByHand
from trainers.compressed import open_compressed
from trainers.config import TrialConfig
from trainers.rendering import picture_of
from trainers.train import train

_METHODS: dict[str, dict[str, object]] = {
    "plain": {"name": "uncompressed", "learning_rate": 0.005},
    "epr": {"name": "epr", "lam": 1e-3, "learning_rate": 0.005},
}
_WARM_UP = 100
_STEPS_BEFORE_DRAWING = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, metavar="PICTURE")
    parser.add_argument("--blocks", type=int, default=20, help=f"of {BLOCK} steps of each method")
    parser.add_argument("--rounds", type=int, default=9, help="how often the file is drawn")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as trainers/train.py
    print_machine(torch.device("cpu"))
    show_steps(arguments.picture, arguments.blocks)
    show_drawing(arguments.picture, arguments.rounds)


def config_of(picture: Path, method: str, *, shrink: int, steps: int) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "task": {"name": "image", "file": str(picture), "shrink": shrink, "whole": True},
            "architecture": "grids",
            "method": _METHODS[method],
            "steps": steps,
        }
    )


def show_steps(picture: Path, num_blocks: int) -> None:
    trainings = {
        method: ByHand(config_of(picture, method, shrink=2, steps=10_000), torch.device("cpu")) for method in _METHODS
    }
    for training in trainings.values():
        training.take(_WARM_UP)
    seconds: dict[str, list[float]] = {method: [] for method in trainings}
    for _ in range(num_blocks):
        for method, training in trainings.items():
            started = time.process_time()
            training.take(BLOCK)
            seconds[method].append((time.process_time() - started) / BLOCK)
    rows = [
        [
            method,
            f"{1e3 * np.median(found):.1f}",
            quartiles([one / plain for one, plain in zip(found, seconds["plain"], strict=True)]),
        ]
        for method, found in seconds.items()
    ]
    print_table(f"a step of the halved picture, medians, n = {num_blocks}", ["", "ms", "of a plain step"], rows)


def show_drawing(picture: Path, num_rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (point,) = train(
            config_of(picture, "epr", shrink=1, steps=_STEPS_BEFORE_DRAWING), lambda progress: None, Path(folder)
        )
        seconds = []
        for _ in range(num_rounds + 1):  # the first one loads what was compiled
            started = time.process_time()
            opened = open_compressed(Path(point.path))
            drawn = picture_of(opened.network(), opened.header.architecture, opened.header.arguments)
            seconds.append(time.process_time() - started)
        title = f"a file of {point.size_bytes:,} bytes to {drawn.shape[1]} x {drawn.shape[0]} pixels, n = {num_rounds}"
        print_table(title, ["", "seconds"], [["read and drawn", quartiles(seconds[1:])]])


if __name__ == "__main__":
    main()
