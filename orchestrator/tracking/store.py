"""Write-ahead logging for SQLite, where the disk bears it."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.points.tracking_uri import sqlite_path, sqlite_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient


def use_wal(database: Path) -> None:
    """Write-ahead logging lets readers read while the tracker writes; it needs a local disk."""
    database.parent.mkdir(parents=True, exist_ok=True)
    if not _on_network_disk(database.parent):
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()


def _on_network_disk(folder: Path) -> bool:
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return False
    found = ("", "")
    for line in mounts.read_text().splitlines():
        _, mount_point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(mount_point) and len(mount_point) >= len(found[0]):
            found = (mount_point, kind)
    return found[1] in {"nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "9p", "fuse.sshfs"}


def default_tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, else a SQLite file in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(Path.cwd() / "mlflow.db")


def prepare(tracking_uri: str, name: str) -> dict[str, str]:
    """Create the store and the experiment where they are missing, before any worker starts.

    Returns:
        The instance of each sweep that the experiment has.

    Raises:
        ValueError: the experiment was deleted.
    """
    from mlflow import MlflowClient

    os.environ.setdefault(
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3"
    )  # else it tries for minutes; nothing is lost meanwhile
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # making a database is no news
    database = sqlite_path(tracking_uri)
    if database is not None:
        use_wal(database)
    client = MlflowClient(tracking_uri)
    found = client.get_experiment_by_name(name)
    if found is None:
        # beside the database; a server decides for itself
        artifacts = (database.parent / "mlartifacts" / name).resolve().as_uri() if database is not None else None
        client.create_experiment(name, artifact_location=artifacts)
        return {}
    if found.lifecycle_stage == "deleted":
        raise ValueError(f"experiment {name!r} was deleted in MLflow: restore it, or give the sweep another --name")
    parents = _pages(client, str(found.experiment_id), "tags.`ratefront.kind` = 'sweep'")
    return {
        run.data.tags["ratefront.sweep_id"]: run.data.tags.get("ratefront.instance", "")
        for run in parents
        if "ratefront.sweep_id" in run.data.tags
    }


def _pages(client: MlflowClient, experiment_id: str, condition: str) -> list[Any]:
    runs: list[Any] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], condition, max_results=1000, order_by=["attributes.start_time ASC"], page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return runs
