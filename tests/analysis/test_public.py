"""What others may import from ``analysis``, and what its import costs."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import analysis

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


def imports(source: str) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]


def code(notebook: Path) -> str:
    """The Python code of a notebook, without IPython's commands."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in "".join(cell["source"]).splitlines()]
    return "\n".join(line for line in lines if not line.startswith("%"))


@pytest.mark.parametrize("name", analysis.__all__)
def test_every_public_name_can_be_imported_and_is_listed(name: str) -> None:
    assert getattr(analysis, name) is not None
    assert name in dir(analysis)


def test_a_type_checker_sees_the_modules_that_are_loaded() -> None:
    seen = {
        alias.name: node.module
        for node in imports(inspect.getsource(analysis))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("analysis.")
        for alias in node.names
    }
    assert seen == {name: f"analysis.{module}" for name, module in analysis._MODULES.items()}
    assert sorted(seen) == sorted(analysis.__all__)


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'analysis' has no attribute 'summarize'"):
        analysis.summarize  # noqa: B018


def test_the_package_by_itself_loads_nothing() -> None:
    program = "import sys, analysis; print([name for name in sys.modules if name.startswith('analysis.')])"
    heavy = "print([name for name in ('numpy', 'pandas', 'matplotlib', 'mlflow', 'rich') if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", f"{program}; {heavy}"], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["[]", "[]"]


def trains(notebook: Path) -> bool:
    """Whether it fits a network, as a program of one's own does, rather than read what was measured."""
    return bool(json.loads(notebook.read_text())["metadata"].get("trains", False))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda one: one.name)
def test_notebooks_import_what_is_public(notebook: Path) -> None:
    for node in imports(code(notebook)):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
        for module in modules:
            closed = ("orchestrator",) if trains(notebook) else ("orchestrator", "trainers")
            assert module.partition(".")[0] not in closed
            assert not module.startswith("analysis.")
            if module == "analysis":
                assert {alias.name for alias in node.names} <= set(analysis.__all__)
