"""The notebooks of examples/ run, put out what is committed, and claim in their text what they put out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks import NOTEBOOKS, executed

_MOST_BYTES = 350_000
"""The largest size of a notebook with its pictures."""
_FEW_STEPS = 40
_NUMBER = re.compile(r" *[\d.,]*\d")
_CLAIM = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)


def printed(cell: Any) -> str:
    """All text of a cell's output."""
    outputs = cell.get("outputs", [])
    return "\n".join(output["text"] if "text" in output else output["data"]["text/plain"] for output in outputs)


def pictures(cell: Any) -> int:
    """The number of pictures; unlike their pixels, it does not depend on a machine's fonts."""
    return sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda one: one.name)
def test_a_notebook_puts_out_what_is_committed(path: Path, tmp_path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    trains = committed.metadata.get("trains", False)  # other machines find other networks: numbers are not compared
    ran = executed(path, tmp_path, steps=_FEW_STEPS)
    for cell, before in zip(ran.cells, committed.cells, strict=True):
        put_out, kept = (_NUMBER.sub("#", printed(one)) if trains else printed(one) for one in (cell, before))
        assert put_out == kept, f"{cell['source']}\nputs out something else: python -m tests.notebooks"
        assert pictures(cell) == pictures(before)
        assert all(output.get("name") != "stderr" for output in cell.get("outputs", []))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda one: one.name)
def test_what_is_bold_in_the_text_is_in_the_output(path: Path) -> None:
    assert path.stat().st_size < _MOST_BYTES
    cells = nbformat.read(path, as_version=4).cells
    output = " ".join(" ".join(map(printed, cells)).split())
    text = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    claims = [" ".join(claim.split()) for claim in _CLAIM.findall(text) if claim != "bold"]
    assert claims
    assert [claim for claim in claims if claim not in output] == []
