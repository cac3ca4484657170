"""Sweeps below a folder and below an address are found alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.storage.bucket import Bucket
from orchestrator.storage.locations import ids_in, location_of, next_free, open_journal


@pytest.fixture(params=["disk", "bucket"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty storage."""
    return str(tmp_path / "sweeps") if request.param == "disk" else str(request.getfixturevalue("storage"))


def test_storage_knows_its_sweeps(anywhere: str) -> None:
    assert ids_in(anywhere) == []
    assert next_free(anywhere, {}, "small-01234567") == "small-01234567"
    open_journal(location_of(anywhere, "small-01234567")).begin_sweep("name: small\n")
    assert ids_in(anywhere) == ["small-01234567"]
    assert next_free(anywhere, {"small-01234567-2": ""}, "small-01234567") == "small-01234567-3"


def test_a_sweep_that_never_began_is_none(storage: str) -> None:
    bucket = Bucket(location_of(storage, "small-01234567"))
    bucket.write("lock", b"{}")
    bucket.delete("lock")
    assert ids_in(storage) == []


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    journal = open_journal(location_of(str(tmp_path / "sweeps"), "small-01234567"))
    assert journal.location == str(tmp_path / "sweeps" / "small-01234567")
    assert journal.file("x") == tmp_path / "sweeps" / "small-01234567" / "x"


def test_an_address_is_a_folder_in_a_bucket(storage: str) -> None:
    journal = open_journal(location_of(storage, "small-01234567"))
    assert journal.location == f"{storage}/small-01234567"
