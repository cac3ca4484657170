"""A place hands out journals and the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.running.place import Place
from orchestrator.tracking.store import Store


def place_at(storage: str) -> Place:
    return Place(storage=storage, tracking_uri="http://host:5000", import_path=Path.cwd(), ui_url="http://ui")


def test_a_sweeps_journal_lies_below_the_storage_under_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = place_at("sweeps")
    assert place.journal("s-1").location == str(tmp_path / "sweeps" / "s-1")
    assert place.sweep_ids() == []
    place.journal("s-1").begin_sweep("name: s\n")
    assert place.sweep_ids() == ["s-1"]


def test_another_sweep_of_the_same_content_gets_the_first_number_that_nobody_has(tmp_path: Path) -> None:
    place = place_at(str(tmp_path))
    assert place.next_free("s-1", []) == "s-1"
    place.journal("s-1").begin_sweep("name: s\n")
    assert place.next_free("s-1", ["s-1-2"]) == "s-1-3"


def test_the_store_is_where_the_place_says(tmp_path: Path) -> None:
    store = place_at(str(tmp_path)).store
    assert store == Store(tracking_uri="http://host:5000", ui_url="http://ui")
    assert store.ui == "http://ui"
