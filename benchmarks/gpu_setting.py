"""What the parts of benchmarks.gpu share: what they are told, the clock, the data that is there, tables as CSV."""

from __future__ import annotations

import argparse
import csv
import functools
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.synthetic import patterns
from trainers.config import Spec
from trainers.instantiate import make_task
from trainers.record import write_atomically
from trainers.tasks.base import Task

LEFT_OUT = "left out: "
"""How a line begins that says what was not done, and why."""
_FILES = {
    "mnist": tuple(
        f"mnist/{split}-{kind}-ubyte.gz" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    ),
    "cifar10": tuple(f"cifar10/{name}.bin.xz" for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")),
}
"""What each task reads below the data folder; no other task needs any."""
_RANDOM = {"mnist": {"channels": 1, "side": 28}, "cifar10": {"channels": 3, "side": 32}}


class TimeUpError(Exception):
    """The minutes are over."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a part is told."""

    data: Path
    out: Path
    """The folder of the results."""
    device: torch.device
    until: float
    """When it has to end, in seconds since 1970."""
    is_smoke: bool
    """Whether to try the command with tiny networks on digits."""

    @property
    def work(self) -> Path:
        """The folder of what a later call goes on from: checkpoints, logs."""
        return self.out.with_name(f"{self.out.name}.work")

    @property
    def left_s(self) -> float:
        """The seconds that are left."""
        return self.until - time.time()

    def check(self, *, late_s: float = 0.0) -> None:
        """Raise TimeUpError where the time has been up for ``late_s`` seconds."""
        if self.left_s < -late_s:
            raise TimeUpError

    def missing(self, task: str) -> str:
        """The first file of the task's data that is not there; empty where all are."""
        return next((name for name in _FILES.get(task, ()) if not (self.data / name).is_file()), "")

    def task(self, name: str) -> tuple[Task, str]:
        """The task, and its name; where its data is not there, random images of that size. It is loaded once."""
        if self.missing(name):
            return patterns(**_RANDOM[name]), "random images"
        return _loaded(name), name


@functools.cache
def _loaded(name: str) -> Task:
    return make_task(Spec(name=name))  # from RATEFRONT_DATA, which is the data folder


def parsed(description: str | None) -> Setting:
    """The setting from the command line of a part."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", type=torch.device, default="cuda")
    parser.add_argument("--until", type=float, required=True, help="seconds since 1970")
    parser.add_argument("--smoke", action="store_true", dest="is_smoke")
    return Setting(**vars(parser.parse_args()))


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none where it is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def add_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row to a CSV file, which is written anew, at once."""
    rows = [*rows_of(path), row]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(dict.fromkeys(key for one in rows for key in one)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, table.getvalue().encode())
