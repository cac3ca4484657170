"""The command line as a whole: its version, and what it imports to start."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_it_starts_without_heavy_packages(option: str) -> None:
    code = (
        "import sys; from orchestrator.cli import main\n"
        "try: main()\n"
        "finally:\n"
        "    heavy = {'matplotlib', 'mlflow', 'numpy', 'pandas', 'pydantic', 'ray', 'torch'}\n"
        "    print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"
    if option == "--version":
        assert said.splitlines()[0] == f"ratefront {metadata.version('ratefront')}"
