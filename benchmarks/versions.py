"""Bytes and seconds of the files in ``results/`` under version 1 of the format, as committed, and under version 2.

    python -m benchmarks.versions                       # every committed file: about three minutes
    python -m benchmarks.versions --rounds 5 FILE.rfz   # reading and writing of some, more often
    python -m benchmarks.versions --cold 9 FILE.rfz     # processes that import what they need and load one file

Version 1 is only read, so its seconds of writing are not here.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from benchmarks.report import print_machine, print_table
from trainers.architectures.base import layout_of
from trainers.coding import container
from trainers.compressed import load_compressed, open_compressed

T = TypeVar("T")
_RESULTS = Path(__file__).resolve().parents[1] / "results"
_SMALL = 5000


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One file: bytes, and medians of the seconds of this process on the CPU."""

    path: Path
    old_bytes: int
    new_bytes: int
    old_read_s: float
    read_s: float
    write_s: float
    load_s: float
    """Reading it and building the network, in version 2."""

    @property
    def ratio(self) -> float:
        return self.new_bytes / self.old_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.rfz", help="default: all of results/")
    parser.add_argument("--rounds", type=int, default=1, help="of each measurement")
    parser.add_argument("--cold", type=int, metavar="N", help="start N processes for each version, in turns")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    paths = arguments.files or sorted(_RESULTS.glob("**/*.rfz"))
    if arguments.cold:
        print_table(
            f"a process that imports what it needs and loads one file, seconds of the processor, n = {arguments.cold}",
            ["", "version", "bytes", "imports", "loading", "together"],
            [row for path in paths for row in cold(path, arguments.cold)],
        )
        return
    measure(paths[0], 1)  # loads what was compiled
    files = [measure(path, arguments.rounds) for path in paths if version_of(path) == 1]
    by_folder: dict[str, list[Measured]] = {}
    for one in files:
        by_folder.setdefault(one.path.resolve().relative_to(_RESULTS).parts[0], []).append(one)
    small = [one for one in files if one.old_bytes < _SMALL]
    groups = [*by_folder.items(), (f"all under {_SMALL:,} bytes", small), ("all", files)]
    heads = ["", "files", "bytes, version 1", "version 2", "ratio", "largest ratio", "read, s", "read", "write", "load"]
    print_table(
        f"files of version 1 and their integers in version 2; seconds of a file, n = {arguments.rounds}",
        heads,
        [row(name, group) for name, group in groups if group],
    )


def version_of(path: Path) -> int:
    return path.read_bytes()[3]


def measure(path: Path, num_rounds: int) -> Measured:
    """Code a file anew, check that it holds the same, and time it."""
    layout = layout_of(open_compressed(path).plain)
    data = path.read_bytes()
    old_read_s, sections = timed(lambda: container.read(data, layout), 1)
    opened = open_compressed(path)
    write_s, new = timed(lambda: container.write(opened.header, layout, sections), num_rounds)
    read_s, found = timed(lambda: container.read(new, layout), num_rounds)
    for name, section in sections.tensors.items():
        assert np.array_equal(found.tensors[name].values, section.values), name
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(new)
        load_s, _ = timed(lambda: load_compressed(copy), num_rounds)
    return Measured(
        path=path,
        old_bytes=len(data),
        new_bytes=len(new),
        old_read_s=old_read_s,
        read_s=read_s,
        write_s=write_s,
        load_s=load_s,
    )


def row(name: str, files: Sequence[Measured]) -> list[str]:
    old, new = sum(one.old_bytes for one in files), sum(one.new_bytes for one in files)
    seconds = [
        np.median([getattr(one, part) for one in files]) for part in ("old_read_s", "read_s", "write_s", "load_s")
    ]
    return [
        name,
        str(len(files)),
        f"{old:,}",
        f"{new:,}",
        f"{new / old:.3f}",
        f"{max(one.ratio for one in files):.3f}",
        *(f"{one:.3f}" for one in seconds),
    ]


_COLD = """
import sys, time
from trainers.compressed import load_compressed
imported_s = time.process_time()
load_compressed(sys.argv[1])
print(imported_s, time.process_time() - imported_s)
"""


def cold(path: Path, num_processes: int) -> Iterator[list[str]]:
    """A row for the file in version 1, and one for the same integers in version 2."""
    opened = open_compressed(path)
    sections = container.read(path.read_bytes(), layout_of(opened.plain))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(container.write(opened.header, layout_of(opened.plain), sections))
        found: dict[Path, list[list[float]]] = {path: [], copy: []}
        for _ in range(num_processes):
            for one, times in found.items():
                said = subprocess.run(
                    [sys.executable, "-c", _COLD, one], capture_output=True, text=True, check=True
                ).stdout
                times.append([float(word) for word in said.split()])
        for one, times in found.items():
            imports_s, loading_s = zip(*times, strict=True)
            together_s = [sum(pair) for pair in times]
            medians = (float(np.median(some)) for some in (imports_s, loading_s, together_s))
            version, size = str(version_of(one)), str(one.stat().st_size)
            yield [path.parent.parent.name, version, size, *(f"{median:.3f}" for median in medians)]


def timed(call: Callable[[], T], num_rounds: int) -> tuple[float, T]:
    """The median of the seconds of this process on the CPU."""
    taken = []
    for _ in range(num_rounds):
        started = time.process_time()
        result = call()
        taken.append(time.process_time() - started)
    return float(np.median(taken)), result


if __name__ == "__main__":
    main()
