"""What the commands cost before they do their own work: the seconds of the processor, imports included.

    python -m benchmarks.starts                  # a small sweep is run first: some minutes
    python -m benchmarks.starts plan sweep       # only these commands

Each command gets something small to do, or a mistake that it refuses.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch

from benchmarks.report import print_machine, print_table

_RESULTS = Path(__file__).parents[1] / "results" / "digits_demo"
_SWEEP = ("sweep", "digits", "--set", "steps=20", "--set", "seeds=1", "--set", "architecture=[mlp]", "--yes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=5, help="processes for each command")
    parser.add_argument("names", nargs="*", help="only these commands")
    given = parser.parse_args()
    print_machine(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as taken:
        command_s(*_SWEEP, folder=folder)
        (sweep,) = Path(folder, "sweeps").iterdir()
        rows = [
            [name, "ends" if code == 0 else "refuses", f"{median(seconds):.2f}", f"{max(seconds):.2f}"]
            for name, (code, *arguments) in _calls(sweep, taken.getsockname()[1]).items()
            if not given.names or name.split()[0] in given.names
            for seconds in [[command_s(*arguments, folder=folder, code=code) for _ in range(given.n)]]
        ]
    rows.append(["import torch, alone", "", f"{median(_torch_s() for _ in range(given.n)):.2f}", ""])
    print_table(f"seconds of the processor, n = {given.n}", ["", "then it", "median", "most"], rows)


def _calls(sweep: Path, taken_port: int) -> dict[str, tuple[int, *tuple[str, ...]]]:
    """The exit code and the arguments of each call, by what the table says of it."""
    file = str(next(sweep.glob("trials/*/*.rfz")))
    return {
        "--help": (0, "--help"),
        "list": (0, "list"),
        "list, no database": (2, "list", "--tracking-uri", "sqlite:///none.db"),
        "jobs": (0, "jobs"),
        "best": (0, "best", sweep.name, "--max-size", "1MB"),
        "frontier --json, of a folder": (0, "frontier", str(_RESULTS), "--json"),
        "frontier --json": (0, "frontier", sweep.name, "--json"),
        "frontier": (0, "frontier", sweep.name, "--out", "frontier"),
        "frontier, no such sweep": (2, "frontier", "none"),
        "compare --json": (0, "compare", sweep.name, "--by", "method", "--json"),
        "compare, no such sweep": (2, "compare", "none", "nil"),
        "export, no such sweep": (2, "export", "none", "--out", "export"),
        "report, no such sweep": (2, "report", "none", "--out", "report.html"),
        "ui, port taken": (2, "ui", sweep.name, "--port", str(taken_port)),
        "sync, no such sweep": (2, "sync", "none"),
        "sweep, unknown field": (2, "sweep", "digits", "--set", "stepz=3"),
        "sweep, unknown method": (2, "sweep", "--method", "erp", "--task", "digits", "--architecture", "mlp"),
        "plan --no-measure": (0, "plan", "digits", "--no-measure"),
        "submit, no storage": (2, "submit", "digits", "--to", "slurm"),
        "part, no such part": (2, "part", "digits", "--number", "2", "--of", "2"),
        "replay, no such sweep": (2, "replay", "none"),
        "catalogue": (0, "catalogue"),
        "inspect": (0, "inspect", file),
        "decode": (0, "decode", file, "--out", "net.safetensors"),
    }


def command_s(*arguments: str, folder: str | Path = ".", code: int = 0) -> float:
    """The processor's seconds of a command, one thread, that is called in ``folder`` and has to end with ``code``."""
    return _process_s([sys.executable, "-m", "orchestrator", *arguments], folder, code)


def _torch_s() -> float:
    return _process_s([sys.executable, "-c", "import torch"], ".", 0)


def _process_s(command: Sequence[str], folder: str | Path, code: int) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
