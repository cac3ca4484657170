"""Docstrings say what a thing is before what it is of: none begins with "Of "."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("analysis", "benchmarks", "examples", "infra", "orchestrator", "tests", "trainers")


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of the docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def test_no_docstring_begins_with_of() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.strip().splitlines()[0]}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in docstrings(path.read_text())
        if text.lstrip().startswith("Of ")
    ]
    assert not found, "\n".join(["docstrings that begin with Of: name the thing first", *found])


def test_docstrings_of_modules_classes_functions_and_attributes_are_found() -> None:
    source = (
        '"""a"""\nx = 1\n"""b"""\nclass C:\n    """c"""\n    y: int\n    """d"""\n    def f(self):\n        """e"""\n'
    )
    assert [text for _, text in sorted(docstrings(source))] == list("abcde")
