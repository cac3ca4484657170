"""Folders of every kind, and a lease that takes no time."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.storage import lease
from orchestrator.storage.bucket import Bucket
from orchestrator.storage.folder import AbstractFolder, LocalFolder, MemoryFolder
from orchestrator.storage.locations import location_of
from orchestrator.storage.mirror import MirroredFolder
from tests import bucket

_numbers = itertools.count()


@pytest.fixture
def storage(store: dict[str, str]) -> str:
    """The address of an empty folder in a bucket."""
    return f"s3://{bucket.NAME}/{next(_numbers)}"


@pytest.fixture
def location(storage: str) -> str:
    """The address of a sweep's folder there."""
    return location_of(storage, "small-01234567")


@pytest.fixture(params=["disk", "bucket", "memory"])
def open_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractFolder]:
    """Opens the same folder, each time as another process would; what is in memory has one process."""
    if request.param == "disk":
        return lambda: LocalFolder(tmp_path / "sweep")
    if request.param == "bucket":
        address = request.getfixturevalue("location")
        return lambda: MirroredFolder(Bucket(address))
    only = MemoryFolder()
    return lambda: only


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that settles, and is renewed, in no time."""
    for name, value in {
        "_SETTLED_AFTER_S": 0.01,
        "_RENEWED_EVERY_S": 0.05,
        "_POLL_S": 0.2,
        "_DEAD_AFTER_S": 0.6,
    }.items():
        monkeypatch.setattr(lease, name, value)
