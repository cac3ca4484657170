"""Options that several commands share, and what they mean."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analysis.fidelity import DISTANCES
from analysis.points.published import SHIPPED_FILES, SHIPPED_IMAGES
from orchestrator.commands.options import (
    FidelityName,
    allow_own_modules,
    check_storage,
    check_writable,
    published_files,
)


def test_an_own_file_of_published_results_is_drawn_beside_the_one_that_ships() -> None:
    assert published_files(None, hidden=False) == [*SHIPPED_FILES]
    assert published_files(Path("own.csv"), hidden=False) == [*SHIPPED_FILES, Path("own.csv")]
    assert published_files(Path("kodak"), hidden=False) == [*SHIPPED_FILES, SHIPPED_IMAGES]
    assert published_files(None, hidden=True) == []
    with pytest.raises(ValueError, match="got --published and --no-published: give one of them"):
        published_files(Path("own.csv"), hidden=True)


def test_every_distance_can_be_asked_for() -> None:
    assert [name.value for name in FidelityName] == list(DISTANCES)


def test_modules_of_the_working_directory_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert allow_own_modules() == tmp_path
    assert sys.path[0] == str(tmp_path)
    allow_own_modules()
    assert sys.path.count(str(tmp_path)) == 1


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    for place, why in ((Path("/proc/x/y"), "No such file or directory"), (tmp_path / "taken", "Not a directory")):
        with pytest.raises(ValueError) as caught:
            check_writable(place, option="--out")
        assert str(caught.value) == (f"--out {place} cannot be written ({why}): wanted a folder that can be written to")
    with pytest.raises(ValueError, match=r"--out .* cannot be written \(Is a directory\): wanted a file in a folder"):
        check_writable(tmp_path, option="--out", is_file=True)
    with pytest.raises(ValueError, match="--storage /proc/x cannot be written"):
        check_storage("/proc/x")


def test_a_place_that_can_be_written_to_stays_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder", option="--out")
    check_writable(tmp_path / "report.html", option="--out", is_file=True)
    check_storage(str(tmp_path / "sweeps"))
    check_storage("s3://bucket/sweeps")
    assert list(tmp_path.iterdir()) == []
