"""Where sweeps lie: below a folder, or below an address in an object store."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from orchestrator.storage.bucket import Bucket, check_address, is_remote, join
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.storage.mirror import MirroredFolder


def location_of(storage: str, sweep_id: str) -> str:
    """The path or address of a sweep's folder, for ``open_journal`` in any process that sees the storage."""
    if not is_remote(storage):
        return str((Path(storage) / sweep_id).resolve())
    check_address(storage)
    return join(storage, sweep_id)


def open_journal(location: str) -> Journal:
    """The journal in the folder there.

    Raises:
        ValueError: ``location`` is no address of a folder in an object store, though it looks like an address.
    """
    return Journal(MirroredFolder(Bucket(location)) if is_remote(location) else LocalFolder(Path(location)))


def ids_in(storage: str) -> list[str]:
    """The ids of all sweeps there."""
    if not is_remote(storage):
        return sorted(path.parent.name for path in Path(storage).glob("*/sweep.yaml"))
    bucket = Bucket(storage)
    return [name for name in bucket.folders() if bucket.stamp(f"{name}/sweep.yaml") is not None]


def next_free(storage: str, tracked: Collection[str], sweep_id: str) -> str:
    """``sweep_id`` if no sweep has it, in the storage or in MLflow; else with the first free number from 2 on."""
    there = Bucket(storage).folders() if is_remote(storage) else [path.name for path in Path(storage).glob("*")]
    taken, candidate, number = {*tracked, *there}, sweep_id, 2
    while candidate in taken:
        candidate, number = f"{sweep_id}-{number}", number + 1
    return candidate
