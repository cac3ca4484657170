"""Data that is not in memory: images a second of a folder of JPEGs, against torch's DataLoader used directly; memory.

    python -m benchmarks.loading images                # two minutes
    python -m benchmarks.loading memory                # a training on an array of 4 GB: half a minute

Images are made: blurred noise of 500x375 pixels, which takes about 80 kB as JPEG. The array is a sparse file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.processes import below, processor_s
from benchmarks.report import print_machine, print_table, quartiles
from trainers.data.feed import Feed
from trainers.data.images import ImageFolder
from trainers.data.pictures import random_box

_NUM_IMAGES = 512
_EPOCHS = 8
"""How often the DataLoader has each image in an epoch: at its end it would read nothing ahead."""
_BATCH_SIZE = 32
_SIDE = 224
_WARM_UP = 4
"""Batches before the clock starts: more than workers read ahead."""
_NUM_ROWS, _NUM_COLUMNS, _NUM_STEPS = 1_000_000, 1_000, 1_000
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Plain(Dataset[tuple[Tensor, int]]):
    """What one writes without ratefront: Pillow decodes whole images, and each is a tensor at once."""

    def __init__(self, files: list[tuple[str, int]]) -> None:
        self.files = files
        self.mean, self.deviation = torch.tensor(_MEAN).view(3, 1, 1), torch.tensor(_DEVIATION).view(3, 1, 1)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        path, label = self.files[number]
        with Image.open(path) as image:
            part = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, random_box(image.size))
        if random.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(part)).permute(2, 0, 1).contiguous().float().div_(255)
        return pixels.sub_(self.mean).div_(self.deviation), label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("images", "memory"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batches", type=int, default=24, help="in each turn")
    parser.add_argument("--turns", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        if arguments.part == "images":
            show_images(Path(folder), arguments.workers, arguments.batches, arguments.turns)
        else:
            show_memory(Path(folder), arguments.workers)


def show_images(folder: Path, num_workers: int, num_batches: int, num_turns: int) -> None:
    files = make_images(folder)
    loaders: dict[str, Callable[[], Iterator[object]]] = {
        "ratefront": lambda: fed(folder, num_workers),
        "DataLoader": lambda: bare(Plain(_EPOCHS * files), num_workers),
    }
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    spent_ms: dict[str, list[float]] = {name: [] for name in loaders}
    num_images = num_batches * _BATCH_SIZE
    for _ in range(num_turns):
        for name, start in loaders.items():
            batches = start()
            for _ in range(_WARM_UP):
                next(batches)
            began_s, spent_s = time.perf_counter(), sum(processor_s().values())
            for _ in range(num_batches):
                next(batches)
            rates[name].append(num_images / (time.perf_counter() - began_s))
            spent_ms[name].append((sum(processor_s().values()) - spent_s) * 1000 / num_images)
            batches.close()  # type: ignore[attr-defined]
    ours = np.array(rates["ratefront"])
    rows = [
        [name, f"{np.median(found):.0f}", quartiles((ours / np.array(found)).tolist()), quartiles(spent_ms[name])]
        for name, found in rates.items()
    ]
    title = f"{num_workers} workers, batches of {_BATCH_SIZE} at {_SIDE}x{_SIDE}, medians of n = {num_turns} in turns"
    print_table(title, ["", "images/s", "ratefront / this", "processor ms an image"], rows)


def show_memory(folder: Path, num_workers: int) -> None:
    """Train on an array that is larger than what may be used, and print what is used."""
    rows = []
    for workers in (0, num_workers):
        command = [sys.executable, "-c", f"from benchmarks.loading import train; train({str(folder)!r}, {workers})"]
        idle, most, others = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        rows.append([str(workers), f"{idle:.0f}", f"{most - idle:.0f}", f"{others:.0f}"])
    title = f"Anonymous MB of {_NUM_STEPS} steps on {4 * _NUM_ROWS * _NUM_COLUMNS / 1e9:.0f} GB, n = 1"
    print_table(title, ["data_workers", "idle", "training, above that", "workers, their server"], rows)


def train(folder: str, num_workers: int) -> None:
    """Print MB of anonymous memory: before a training, most of this process, most of its workers together."""
    from trainers.config import Spec, TrialConfig
    from trainers.data.mapped import ArrayFile, Mapped
    from trainers.tasks.base import classification
    from trainers.train import train as train_one

    def split(name: str, num_rows: int) -> Mapped:
        paths = [Path(folder) / f"{name}.{part}" for part in ("x", "y")]
        for path, width in zip(paths, (4 * _NUM_COLUMNS, 8), strict=True):
            with path.open("wb") as file:
                file.truncate(num_rows * width)
        x = ArrayFile(paths[0], dtype="float32", shape=(num_rows, _NUM_COLUMNS))
        return Mapped(inputs=x, targets=ArrayFile(paths[1], dtype="int64"))

    splits = {"train": split("train", _NUM_ROWS), "validation": split("validation", 2000), "test": split("test", 2000)}
    config = TrialConfig(
        task=Spec(name="mapped:task"),
        architecture=Spec(name="mlp", arguments={"hidden": [64]}),
        method=Spec(name="uncompressed"),
        steps=_NUM_STEPS,
        batch_size=256,
    )
    idle, (most, others), done = anonymous_mb(os.getpid()), (0.0, 0.0), threading.Event()

    def watch() -> None:
        nonlocal most, others
        while not done.wait(0.02):
            most = max(most, anonymous_mb(os.getpid()))
            others = max(others, sum(anonymous_mb(pid, shared=True) for pid in below(os.getpid())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    task = classification(**splits, num_classes=10)
    train_one(config, lambda progress: None, Path(folder), task=task, data_workers=num_workers)
    done.set()
    watcher.join()
    print(json.dumps([idle, most, others]))


def anonymous_mb(pid: int, *, shared: bool = False) -> float:
    """The memory of a process that no file backs; if ``shared``, its share of pages that others map as well.

    0 once the process has ended.
    """
    name, pattern = ("smaps_rollup", r"Pss_Anon:\s*(\d+)") if shared else ("status", r"RssAnon:\s*(\d+)")
    with contextlib.suppress(OSError):
        found = re.search(pattern, Path(f"/proc/{pid}/{name}").read_text())
        return int(found[1]) / 1000 if found else 0.0
    return 0.0


def fed(folder: Path, num_workers: int) -> Iterator[object]:
    images = ImageFolder(folder, size=_SIDE, random_crop=True, flip=True, mean=_MEAN, deviation=_DEVIATION)
    with Feed(images, batch_size=_BATCH_SIZE, seed=0, num_workers=num_workers) as feed:
        step = 0
        while True:
            yield feed.batch(step)
            step += 1


def bare(dataset: Dataset[tuple[Tensor, int]], num_workers: int) -> Iterator[object]:
    loader = DataLoader(
        dataset,
        batch_size=_BATCH_SIZE,
        shuffle=True,
        num_workers=num_workers,
        multiprocessing_context="forkserver",
        persistent_workers=True,
        drop_last=True,
    )
    while True:
        yield from loader


def make_images(folder: Path) -> list[tuple[str, int]]:
    generator = np.random.default_rng(0)
    files = []
    for number in range(_NUM_IMAGES):
        path = folder / f"class_{number % 4}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        noise = generator.integers(0, 256, (375, 500, 3), np.uint8)
        Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1)).save(path, quality=90)
        files.append((str(path), number % 4))
    print(f"images    {sum(Path(path).stat().st_size for path, _ in files) / len(files) / 1000:.0f} kB each")
    return files


if __name__ == "__main__":
    main()
