"""Where a sweep runs and leaves its results. Whoever needs its journal or the tracking store is handed it from here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import ids_in, location_of, next_free, open_journal
from orchestrator.tracking.store import Store


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a sweep runs and leaves its results."""

    storage: str
    """Folder of all sweeps, on a cluster one that all nodes share; or an address such as ``s3://bucket/sweeps``."""
    tracking_uri: str
    """MLflow's address."""
    import_path: Path
    """Folder of the user's own modules."""
    address: str | None = None
    """Address of a running Ray cluster; without one Ray is started here and stopped at the end."""
    ui_url: str | None = None
    """Address of the MLflow UI, where it is not the tracking server's."""

    @property
    def store(self) -> Store:
        """Where MLflow keeps the sweep's runs."""
        return Store(tracking_uri=self.tracking_uri, ui_url=self.ui_url)

    def sweep_ids(self) -> list[str]:
        """The ids of all sweeps in the storage."""
        return ids_in(self.storage)

    def next_free(self, sweep_id: str, tracked: Collection[str]) -> str:
        """``sweep_id``, or with the first number from 2 that no sweep has, in the storage or among ``tracked``."""
        return next_free(self.storage, tracked, sweep_id)

    def journal(self, sweep_id: str) -> Journal:
        """The journal of a sweep, which may not have begun.

        Raises:
            ValueError: the storage is an address that cannot be used.
        """
        return open_journal(location_of(self.storage, sweep_id))
