"""Runs commands in forks of a process that has loaded the libraries: that takes longer than most commands do."""

from __future__ import annotations

import atexit
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_LIBRARIES = [
    "torch",
    "torch._dynamo",  # every optimiser loads it
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "ray.tune",
    "ray.dashboard.optional_deps",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "optuna",
    "pandas",
    "plotly.graph_objects",
    "plotly.io",
    "pyarrow.parquet",
    "scipy.optimize",
    "scipy.stats",
]
"""What commands load; no module of ours, so that each process imports those in its own order."""
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_LIBRARIES)


def run_forked(
    program: str, *arguments: str, folder: Path, environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run ``ratefront`` in a process of its own in ``folder``, as ``subprocess.run`` does."""
    with tempfile.TemporaryDirectory() as directory:
        streams = [Path(directory, name) for name in ("stdout", "stderr")]
        process = _CONTEXT.Process(target=_run, args=([program, *arguments], folder, dict(environment), streams))
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([program, *arguments], timeout_s, *(path.read_bytes() for path in streams))
        return subprocess.CompletedProcess(
            [program, *arguments], process.exitcode, *(path.read_text(encoding="utf-8") for path in streams)
        )


def _encode_as(encoding: str) -> None:
    """Give the streams the encoding that a new interpreter takes from ``PYTHONIOENCODING``."""
    if not encoding:
        return
    for stream, errors in ((sys.stdout, "strict"), (sys.stderr, "backslashreplace")):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(encoding=encoding, errors=errors)


def _run(command: list[str], folder: Path, environment: dict[str, str], streams: list[Path]) -> None:
    """In the fork: become the command."""
    for descriptor, path in enumerate(streams, start=1):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    _encode_as(environment.get("PYTHONIOENCODING", ""))
    sys.argv = command
    try:
        from orchestrator.cli import main

        main()
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
