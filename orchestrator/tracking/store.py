"""The tracking store: MLflow's database or server, made ready before a sweep, and searched page by page."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.points.database_lock import naming_a_full_disk, opening
from analysis.points.large_reads import without_collection
from analysis.points.tracking_uri import sqlite_path, sqlite_uri, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_NETWORK_DISKS = {"nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "9p", "fuse.sshfs"}
_LONGEST_WAIT_S = 120.0
_PAUSE_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Store:
    """Where MLflow keeps the runs of sweeps."""

    tracking_uri: str
    """MLflow's address: a server's, or a database's."""
    ui_url: str | None = None
    """Address of the MLflow UI, where it is not the tracking server's."""

    @property
    def ui(self) -> str | None:
        """Address of the MLflow UI, for links; None where it is not known."""
        is_server = self.tracking_uri.startswith(("http://", "https://"))
        return self.ui_url or (without_credentials(self.tracking_uri) if is_server else None)

    def check(self) -> None:
        """Find out whether the store can be used, before anything is made.

        Raises:
            ValueError: the address is none that a sweep can be tracked at.
            ConnectionError: the server does not answer.
        """
        from analysis.points.mlflow import check_tracking  # loads pandas

        check_tracking(self.tracking_uri)

    def why_unreachable(self) -> str:
        """Why the store does not answer, in one line; empty where it does."""
        try:
            self.check()
        except ConnectionError as error:
            return str(error)
        return ""

    def prepare(self, name: str) -> dict[str, str]:
        """Create the store and the experiment where they are missing, before any worker starts.

        Args:
            name: of the experiment.

        Returns:
            The instance of each sweep that the experiment has, by sweep id.

        Raises:
            ValueError: the experiment was deleted.
            OSError: the disk of the database is full.
        """
        with naming_a_full_disk(self.tracking_uri):
            return self._prepare(name)

    def _prepare(self, name: str) -> dict[str, str]:
        from mlflow import MlflowClient

        # else the client tries for minutes; nothing is lost meanwhile. Many tries soon after one another outlast lost
        # replies, and all together take some ten seconds
        for setting, value in {"MAX_RETRIES": "9", "BACKOFF_FACTOR": "0", "BACKOFF_JITTER": "2.0"}.items():
            os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{setting}", value)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # making a database is no news
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # nor is a request that is sent again
        database = sqlite_path(self.tracking_uri)
        if database is not None:
            database.parent.mkdir(parents=True, exist_ok=True)
        with opening(self.tracking_uri):
            if database is not None:
                _use_wal(database)
            client = MlflowClient(self.tracking_uri)
            found = client.get_experiment_by_name(name)
        if found is None:
            # beside the database; a server decides for itself
            artifacts = (database.parent / "mlartifacts" / name).resolve().as_uri() if database is not None else None
            found = _experiment(client, name, artifacts)
        if found.lifecycle_stage == "deleted":
            raise ValueError(f"experiment {name!r} was deleted in MLflow: restore it, or give the sweep another --name")
        parents = all_runs(client, str(found.experiment_id), "tags.`ratefront.kind` = 'sweep'")
        return {
            run.data.tags["ratefront.sweep_id"]: run.data.tags.get("ratefront.instance", "")
            for run in parents
            if "ratefront.sweep_id" in run.data.tags
        }


def is_stores(error: BaseException) -> bool:
    """Whether the store or the way to it raised an error, as where requests are lost."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, MlflowException | ConnectionError)


def default_tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI`` where it is set, else a SQLite file in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(Path.cwd() / "mlflow.db")


def address_in(folder: Path) -> str | None:
    """The address of the database that a sweep run in ``folder`` makes there; None where there is none."""
    database = folder.absolute() / "mlflow.db"
    return sqlite_uri(database) if database.is_file() else None


def _experiment(client: MlflowClient, name: str, artifact_location: str | None) -> Experiment:
    """Create the experiment, or find the one that another process has created meanwhile."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

    try:
        client.create_experiment(name, artifact_location=artifact_location)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    found = client.get_experiment_by_name(name)
    assert found is not None, "it was just created"
    return found


def all_runs(client: MlflowClient, experiment_id: str, condition: str) -> list[Any]:
    """All runs of an experiment that meet a condition, oldest first, however many pages MLflow answers with."""
    runs: list[Any] = []
    token = None
    with without_collection():
        while True:
            page = client.search_runs(
                [experiment_id], condition, max_results=1000, order_by=["attributes.start_time ASC"], page_token=token
            )
            runs += page
            token = page.token
            if not token:
                return runs


def _use_wal(database: Path) -> None:
    """Switch a SQLite file to write-ahead logging: readers read while the tracker writes. It needs a local disk."""
    if _on_network_disk(database.parent):
        return
    give_up_s = time.monotonic() + _LONGEST_WAIT_S
    with contextlib.closing(sqlite3.connect(database, timeout=0)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:  # its own waiting does not cover this
                if "locked" not in str(error):
                    raise
                if time.monotonic() > give_up_s:
                    raise ConnectionError(
                        f"another process has kept {database} locked for {_LONGEST_WAIT_S:.0f} s: end it, or wait"
                    ) from None
                time.sleep(_PAUSE_S)


def _on_network_disk(folder: Path) -> bool:
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return False
    found = ("", "")
    for line in mounts.read_text().splitlines():
        _, mount_point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(mount_point) and len(mount_point) >= len(found[0]):
            found = (mount_point, kind)
    return found[1] in _NETWORK_DISKS
