"""The command line as a whole: its version, and what it imports to start."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import program


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


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("list --tracking-uri foo://bar", "no MLflow is at foo://bar"),
        ("frontier --tracking-uri foo://bar --json", "no MLflow is at foo://bar"),
        ("best --max-size 1kB --tracking-uri foo://bar", "no MLflow is at foo://bar"),
        ("compare a b --tracking-uri foo://bar --json", "no MLflow is at foo://bar"),
        ("ui --tracking-uri foo://bar", "no MLflow is at foo://bar"),
        ("sweep digits --tracking-uri foo://bar", "no MLflow is at foo://bar"),
        ("frontier --out /proc/x", "--out /proc/x cannot be written"),
        ("compare a b --out /proc/x", "--out /proc/x cannot be written"),
        ("export a --out /proc/x", "--out /proc/x cannot be written"),
        ("report a --out /proc/x/report.html", "--out /proc/x/report.html cannot be written"),
        ("decode a.rfz --out /proc/x/a.pt", "--out /proc/x/a.pt cannot be written"),
        ("sweep digits --storage /proc/x", "--storage /proc/x cannot be written"),
        ("part digits --number 0 --of 1 --storage /proc/x", "--storage /proc/x cannot be written"),
        (
            "submit digits --to here --storage /proc/x --tracking-uri http://none",
            "--storage /proc/x cannot be written",
        ),
        ("ui /tmp", "/tmp is a path: ui wants the id or name of a sweep"),
    ],
)
def test_a_place_that_is_none_is_one_line_whatever_the_command(
    call: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(program, call.split())
    assert done.exit_code == 2
    assert done.stderr.startswith(f"ratefront: {said}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
