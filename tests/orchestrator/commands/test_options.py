"""Options that several commands share, and what they mean."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analysis.points.published import SHIPPED
from orchestrator.commands.options import allow_own_modules, published_files


def test_an_own_file_of_published_results_is_drawn_beside_the_one_that_ships() -> None:
    assert published_files(None, hidden=False) == [SHIPPED]
    assert published_files(Path("own.csv"), hidden=False) == [SHIPPED, Path("own.csv")]
    assert published_files(None, hidden=True) == []
    with pytest.raises(ValueError, match="got --published and --no-published: give one of them"):
        published_files(Path("own.csv"), hidden=True)


def test_modules_of_the_working_directory_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert allow_own_modules() == tmp_path
    assert sys.path[0] == str(tmp_path)
    allow_own_modules()
    assert sys.path.count(str(tmp_path)) == 1
