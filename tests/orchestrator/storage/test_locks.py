"""One process holds a sweep on a disk, or several share it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import SweepError
from orchestrator.storage.locks import only_one, sharing


def test_one_process_holds_a_sweep(tmp_path: Path) -> None:
    folder = tmp_path / "small-01234567"
    with only_one(folder), pytest.raises(SweepError, match=r"^sweep small-01234567 is being run by another process$"):
        only_one(folder).__enter__()
    with only_one(folder):
        assert (folder / "lock").is_file()


def test_several_share_a_sweep_that_nobody_holds(tmp_path: Path) -> None:
    with sharing(tmp_path), sharing(tmp_path), pytest.raises(SweepError, match="is being run by another process"):
        only_one(tmp_path).__enter__()
    with only_one(tmp_path), pytest.raises(SweepError, match="is being run by another process"):
        sharing(tmp_path).__enter__()


def test_a_sweep_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    with only_one(tmp_path / "never"):
        pass
    assert not (tmp_path / "never").exists()
    with only_one(tmp_path / "began"):
        (tmp_path / "began" / "sweep.yaml").write_bytes(b"")
    assert sorted(path.name for path in (tmp_path / "began").iterdir()) == ["lock", "sweep.yaml"]


def test_a_disk_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(
        SweepError, match=r"^cannot lock .*: Operation not supported; its disk must be mounted with locks$"
    ):
        sharing(tmp_path).__enter__()
