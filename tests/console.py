"""Calls the console script for tests, and defines one small sweep that several of them look at."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.forked import run_forked

PROGRAM = str(Path(sys.executable).parent / "ratefront")

SWEEP = {
    "name": "tiny",
    "task": "digits",
    "architecture": [{"name": "mlp", "hidden": [8]}, {"name": "cnn", "channels": [4]}],
    "method": [
        {"name": "epr", "lam": [0.1, 1.0]},
        {"name": "ptq", "bits": [3]},
        {"name": "uncompressed", "learning_rate": [2e-3, 1e20]},  # the second diverges
    ],
    "steps": 100,
    "seeds": 2,
}
NUM_TRIALS, NUM_FAILED = 20, 4


@dataclass(frozen=True)
class Finished:
    """A working directory in which a sweep ran, and the finished process of the command."""

    folder: Path
    process: subprocess.CompletedProcess[str]

    @property
    def sweep_directory(self) -> Path:
        (directory,) = (self.folder / "sweeps").iterdir()
        return directory

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"


def call(folder: Path, *arguments: str, timeout_s: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``ratefront`` in ``folder``, as a person without a terminal would.

    Args:
        timeout_s: the limit is for hangs.
        environment: more variables, none of which a library reads when it is loaded: the libraries are loaded already.
    """
    variables = {**clean_environment(), **environment}
    return run_forked(PROGRAM, *arguments, folder=folder, environment=variables, timeout_s=timeout_s)


def clean_environment() -> dict[str, str]:
    """The environment without what would send a test's runs elsewhere, and wide enough that no table is cut."""
    dropped = ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")
    return {**{key: value for key, value in os.environ.items() if key not in dropped}, "COLUMNS": "160"}
