"""The command line as a whole: its version, and what it imports to start."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import program

RESULTS = Path(__file__).parents[2] / "results" / "digits_demo"
GOLDEN = Path(__file__).parents[1] / "golden" / "tiny.rfz"
HEAVY = ("matplotlib", "mlflow", "numpy", "pandas", "pydantic", "ray", "scipy", "sqlalchemy", "torch")


@pytest.mark.parametrize(
    ("call", "code", "needed"),
    [
        ("--version", 0, ""),
        ("--help", 0, ""),
        ("sweep digits --set stepz=3", 2, "numpy pydantic"),
        ("list --tracking-uri sqlite:///none.db", 2, "numpy pandas pydantic sqlalchemy"),
        ("list", 0, "numpy pandas pydantic sqlalchemy"),
        ("best a --max-size 10kB", 2, "numpy pandas pydantic sqlalchemy"),
        ("compare a b", 2, "numpy pandas pydantic sqlalchemy"),
        ("export a --out a", 2, "numpy pandas pydantic sqlalchemy"),
        ("report a --out a.html", 2, "numpy pandas pydantic sqlalchemy"),
        ("ui a", 2, "numpy pandas pydantic sqlalchemy"),
        (f"frontier {RESULTS} --json", 0, "numpy pandas pydantic"),
        (f"frontier {RESULTS}", 0, "matplotlib numpy pandas pydantic"),
        ("sync a", 2, "numpy pandas pydantic sqlalchemy"),
        ("replay a", 2, "numpy pydantic"),
        ("jobs", 0, "numpy pydantic"),
        (f"compress {GOLDEN} --out a.rfz --steps-grid 1", 0, "numpy pydantic torch"),
    ],
)
def test_a_command_loads_no_heavy_package_that_it_does_not_need(
    call: str, code: int, needed: str, workplace: Path
) -> None:
    program = (
        "import sys; from orchestrator.cli import main\n"
        "try: main()\n"
        f"finally: print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *call.split()], cwd=workplace, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.splitlines()[-1] == needed
    if call == "--version":
        assert done.stdout.splitlines()[0] == f"ratefront {metadata.version('ratefront')}"


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
