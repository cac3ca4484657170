"""Where sweeps lie: below a folder, or below an address in an object store; and who holds one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.errors import SweepError
from orchestrator.storage.bucket import RemoteFolder, check_address, is_remote, join
from orchestrator.storage.journal import Journal
from orchestrator.storage.lease import Lease, leased
from orchestrator.storage.locks import only_one
from orchestrator.storage.mirror import MirroredJournal


def location_of(storage: str, sweep_id: str) -> str:
    """Of a sweep's folder, for ``open_journal`` in any process that sees the storage."""
    if not is_remote(storage):
        return str((Path(storage) / sweep_id).resolve())
    check_address(storage)
    return join(storage, sweep_id)


def open_journal(location: str) -> Journal:
    """The journal there.

    Raises:
        ValueError: it is an address that nothing is known of.
    """
    return MirroredJournal.open(location) if is_remote(location) else Journal(Path(location))


def ids_in(storage: str) -> list[str]:
    """Of all sweeps there."""
    if not is_remote(storage):
        return sorted(path.parent.name for path in Path(storage).glob("*/sweep.yaml"))
    remote = RemoteFolder(storage)
    return [name for name in remote.folders() if remote.stamp(f"{name}/sweep.yaml") is not None]


def next_free(storage: str, tracked: Collection[str], sweep_id: str) -> str:
    """``sweep_id``, or with the first number from 2 that no sweep has, in the storage or in MLflow."""
    there = RemoteFolder(storage).folders() if is_remote(storage) else [path.name for path in Path(storage).glob("*")]
    taken, candidate, number = {*tracked, *there}, sweep_id, 2
    while candidate in taken:
        candidate, number = f"{sweep_id}-{number}", number + 1
    return candidate


@contextlib.contextmanager
def holding(journal: Journal) -> Iterator[Lease]:
    """Hold the sweep, and know all that others wrote of it.

    Raises:
        SweepError: another process holds it, or the object store does not answer as it should.
    """
    if not isinstance(journal, MirroredJournal):
        with only_one(journal.directory):
            yield Lease()  # a lock is not lost
        return
    with contextlib.ExitStack() as stack:
        try:
            lease = stack.enter_context(leased(journal.remote))
            journal.fetch_all()
        except OSError as error:
            raise SweepError(f"cannot use {journal.location}: {error}") from error
        yield lease
