"""What every benchmark prints: the machine, the versions, and tables."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata

import numpy as np
import torch

from orchestrator.environment import processor


def print_machine(device: torch.device) -> None:
    """Print where the numbers come from: without this they say nothing."""
    versions = [f"{name} {metadata.version(name)}" for name in ("numpy", "constriction")]
    print(f"machine   {processor()}, {os.cpu_count()} CPUs; {platform.system()} {platform.machine()}")
    if device.type == "cuda":
        print(f"device    {torch.cuda.get_device_name(device)}")
    print(f"versions  Python {platform.python_version()}, torch {torch.__version__}, {', '.join(versions)}")
    print(f"threads   {torch.get_num_threads()}", flush=True)


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column aligned left, numbers right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    print(f"\n{title}")
    for row in (heads, *rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    sys.stdout.flush()


def quartiles(values: Sequence[float]) -> str:
    """``1.09 (1.08-1.11)``: the median, and the quartiles around it."""
    first, median, third = np.percentile(values, [25, 50, 75])
    return f"{median:.2f} ({first:.2f}-{third:.2f})"
