"""What a sweep or trial runs on, as text: versions, commit, processor; no environment variables, which hold secrets."""

from __future__ import annotations

import functools
import platform
import subprocess
from importlib import metadata
from pathlib import Path

_PACKAGES = ("ratefront", "torch", "numpy", "constriction", "numba", "ray", "mlflow", "optuna", "pandas")


@functools.cache
def versions() -> dict[str, str]:
    """The versions of Python, as ``python``, and of packages that results may depend on, as ``version.<package>``."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[f"version.{package}"] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[f"version.{package}"] = "not installed"
    return found


def commit() -> str | None:
    """The git commit that the working directory is at; None outside of a repository."""
    try:
        shown = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return shown.stdout.strip() if shown.returncode == 0 else None


@functools.cache
def processor() -> str:
    """The processor's model where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [value.strip() for key, _, value in (line.partition(":") for line in lines) if key.strip() == "model name"]
    return models[0] if models else platform.processor() or platform.machine()
