"""Writes a run that is over to MLflow's SQLite database, whole, in one transaction.

MLflow's client takes six transactions and dozens of objects for such a run. It has to write where the database is not
one that is known here, or is in the way.
"""

from __future__ import annotations

import contextlib
import math
import os
import posixpath
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from analysis.points.tracking_database import KNOWN_VERSIONS
from analysis.points.tracking_uri import sqlite_path

_LONGEST_WAIT_S = 20.0
"""How long SQLite waits for a lock, as MLflow has it."""
_KEY = re.compile(r"[\w.:-][\w ./:-]*")
"""What every MLflow takes as a key, where it is also a path as ``posixpath.normpath`` writes it."""
_MOST_IN_KEY, _MOST_IN_PARAM, _MOST_IN_TAG, _MOST_IN_NAME, _MOST_IN_ADDRESS = 250, 6000, 5000, 250, 200
_MOST_NUMBERS = 10_000
_END_OF_TIME_S = 2.0**53 / 1000
"""Milliseconds up to here are whole numbers everywhere."""


@dataclass(frozen=True, kw_only=True)
class WholeRun:
    """A run with all that it holds."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[tuple[str, int], float]
    """Values by name and step."""
    files: Mapping[str, bytes]
    began_at_s: float
    ended_at_s: float
    """When the training began and ended, in seconds since 1970."""

    @property
    def is_plain(self) -> bool:
        """Whether the database takes all of it as it is; MLflow shortens, refuses or translates anything else."""
        keys = {*self.tags, *self.params, *(name for name, _ in self.metrics)}
        return (
            all(_is_key(key) for key in keys)
            and all(len(text) <= _MOST_IN_TAG for text in self.tags.values())
            and all(len(text) <= _MOST_IN_PARAM for text in self.params.values())
            and all(math.isfinite(value) for value in self.metrics.values())
            and len(self.metrics) <= _MOST_NUMBERS
            and 0 < len(self.name) <= _MOST_IN_NAME
            and 0 <= self.began_at_s <= self.ended_at_s < _END_OF_TIME_S
        )


class RunDatabase:
    """The database of an experiment whose files lie on this machine."""

    def __init__(self, path: Path, experiment_id: int, artifacts: Path, address: str) -> None:
        """``address`` is the URI of the folder ``artifacts``, where the experiment's files go."""
        self._path, self._experiment_id = path, experiment_id
        self._artifacts, self._address = artifacts, address

    @staticmethod
    def open(tracking_uri: str, experiment: Any) -> RunDatabase | None:
        """The database of MLflow's ``experiment``; None where the client has to write."""
        if os.environ.get("MLFLOW_ENABLE_WORKSPACES") or tracking_uri.partition(":")[0] != "sqlite":
            return None
        path, address = sqlite_path(tracking_uri), str(experiment.artifact_location)
        parts = urlsplit(address)
        if path is None or "?" in tracking_uri or (parts.scheme, parts.netloc) != ("file", ""):
            return None
        if parts.query or parts.fragment:
            return None
        return RunDatabase(path.absolute(), int(experiment.experiment_id), Path(unquote(parts.path)), address)

    def add(self, run: WholeRun) -> tuple[str, str] | None:
        """Write the run's files, then all else, so that whoever sees the run sees it whole.

        Returns:
            Its id and the address of its files; None where nothing was written, and the client has to.

        Raises:
            OSError: the files cannot be written.
        """
        run_id = uuid.uuid4().hex
        address = f"{self._address.rstrip('/')}/{run_id}/artifacts"
        if not run.is_plain or len(address) > _MOST_IN_ADDRESS:
            return None
        folder = self._artifacts / run_id
        try:
            (folder / "artifacts").mkdir(parents=True)
            for name, content in run.files.items():
                (folder / "artifacts" / name).write_bytes(content)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with contextlib.suppress(sqlite3.Error):  # the client finds out what is wrong
            if self._insert(run_id, address, run):
                return run_id, address
        with contextlib.suppress(sqlite3.Error):  # where it does not answer, the run may be there and need its files
            if self._has(run_id):
                return run_id, address
            shutil.rmtree(folder, ignore_errors=True)
        return None

    def _has(self, run_id: str) -> bool:
        """Whether the run is there after an error: the last step may fail once all is written."""
        uri = f"{self._path.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, timeout=_LONGEST_WAIT_S, uri=True)) as database:
            return database.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,)).fetchone() is not None

    def _insert(self, run_id: str, address: str, run: WholeRun) -> bool:
        """Insert the rows; returns whether the tables are as they are known here."""
        now_ms = int(time.time() * 1000)
        tags = {**run.tags, "mlflow.runName": run.name}
        latest: dict[str, tuple[int, float]] = {}
        for (name, step), value in run.metrics.items():
            latest[name] = max(latest.get(name, (step, value)), (step, value))
        uri = f"{self._path.as_uri()}?mode=rw"
        with contextlib.closing(
            sqlite3.connect(uri, timeout=_LONGEST_WAIT_S, isolation_level=None, uri=True)
        ) as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("BEGIN IMMEDIATE")  # closing it without COMMIT takes all back
            versions = {version for (version,) in database.execute("SELECT version_num FROM alembic_version")}
            active = "SELECT 1 FROM experiments WHERE experiment_id = ? AND lifecycle_stage = ? AND workspace = ?"
            is_active = database.execute(active, (self._experiment_id, "active", "default")).fetchone()
            if len(versions) != 1 or not versions <= KNOWN_VERSIONS or not is_active:
                return False
            row = {
                "run_uuid": run_id,
                "name": run.name,
                "source_type": "UNKNOWN",
                "source_name": "",
                "entry_point_name": "",
                "user_id": "unknown",
                "status": "FINISHED",
                "start_time": int(run.began_at_s * 1000),
                "end_time": int(run.ended_at_s * 1000),
                "source_version": "",
                "lifecycle_stage": "active",
                "artifact_uri": address,
                "experiment_id": self._experiment_id,
            }
            names = ", ".join(row)
            database.execute(f"INSERT INTO runs ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
            for table, texts in (("tags", tags), ("params", run.params)):
                rows = [(key, text, run_id) for key, text in texts.items()]
                database.executemany(f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)", rows)
            numbers = [(name, step, value) for (name, step), value in run.metrics.items()]
            lasts = [(name, step, value) for name, (step, value) in latest.items()]
            for table, values in (("metrics", numbers), ("latest_metrics", lasts)):
                database.executemany(
                    f"INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)",
                    [(name, float(value), now_ms, step, run_id) for name, step, value in values],
                )
            database.execute("COMMIT")
        return True


def _is_key(key: str) -> bool:
    """Whether MLflow takes a name of a tag, a parameter or a metric."""
    is_path = posixpath.normpath(key) == key and key != "." and ".." not in key
    return is_path and len(key) <= _MOST_IN_KEY and _KEY.fullmatch(key) is not None
