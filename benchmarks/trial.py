"""The share of a trial that is coding: writing its files and reading them again.

    python -m benchmarks.trial          # six trials: about three minutes

Digits come with the package; MNIST is read from ``RATEFRONT_DATA``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks.report import print_machine, print_table
from trainers.coding import container
from trainers.config import TrialConfig
from trainers.train import train

_ECQ = {"name": "ecq", "steps": [0.25, 0.5, 1.0]}
_EPR = {"name": "epr", "lam": 0.5}
_MNIST: dict[str, Any] = {"task": "mnist", "architecture": "lenet300_100", "batch_size": 128}
_TRIALS: dict[str, dict[str, Any]] = {
    "digits, mlp, epr": {"task": "digits", "architecture": "mlp", "method": _EPR, "steps": 500, "batch_size": 64},
    "digits, mlp, ecq": {"task": "digits", "architecture": "mlp", "method": _ECQ, "steps": 500, "batch_size": 64},
    "digits, cnn, epr": {"task": "digits", "architecture": "cnn", "method": _EPR, "steps": 500, "batch_size": 64},
    "MNIST, LeNet300-100, epr": {**_MNIST, "method": _EPR, "steps": 2000},
    "MNIST, LeNet300-100, ecq": {**_MNIST, "method": _ECQ, "steps": 2000},
    "MNIST, LeNet5, epr": {**_MNIST, "architecture": "lenet5", "method": _EPR, "steps": 400},
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    measure(_TRIALS["digits, mlp, epr"])  # loads what was compiled
    rows = []
    for name, trial in _TRIALS.items():
        whole_s, coding_s, num_bytes = measure(trial)
        rows.append([name, f"{whole_s:.2f}", f"{coding_s:.2f}", f"{coding_s / whole_s:.1%}", f"{num_bytes:,}"])
    print_table("seconds of the processor, n = 1", ["", "trial", "coding", "share", "bytes of files"], rows)


def measure(trial: dict[str, Any]) -> tuple[float, float, int]:
    """Seconds of a whole trial, and those of coding; and the bytes that it wrote."""
    coding_s = 0.0

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **settings: Any) -> Any:
            nonlocal coding_s
            started = time.process_time()
            result = call(*arguments, **settings)
            coding_s += time.process_time() - started
            return result

        return wrapped

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(container, "write", timed(container.write)),
        mock.patch.object(container, "take_apart", timed(container.take_apart)),
    ):
        started = time.process_time()
        train(TrialConfig.from_dict(trial), lambda progress: None, Path(folder))
        whole_s = time.process_time() - started
        return whole_s, coding_s, sum(path.stat().st_size for path in Path(folder).glob("*.rfz"))


if __name__ == "__main__":
    main()
