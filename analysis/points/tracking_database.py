"""Runs read from MLflow's database by SQL: MLflow itself makes dozens of objects for each.

``open_database`` answers only for databases whose tables are known here. For others, and where anything is in the way,
MLflow has to read, and says what is wrong.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Select, TableClause, case, column, create_engine, select, table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from analysis.points.logged_runs import Condition, LoggedExperiment, LoggedRun
from analysis.points.tracking_uri import sqlite_path, unreadable

KNOWN_VERSIONS = frozenset({"dc11669786a5"})
"""The versions of MLflow's tables that have what is read here, as alembic names them: that of MLflow 3.17."""

_NUM_AT_ONCE = 900
"""How many runs a query names: SQLite before 3.32 takes 999 values."""

_LONGEST_WAIT_S = 5.0
"""How long SQLite waits for a lock, before MLflow waits for minutes."""
_CACHE_KIB = 64 * 1024
"""SQLite's own 2 MB make it read the pages of an index again and again."""

_EXPERIMENTS = table("experiments", *map(column, ("experiment_id", "name", "lifecycle_stage", "workspace")))
_EXPERIMENT_TAGS = table("experiment_tags", column("experiment_id"), column("key"))
_VERSION = table("alembic_version", column("version_num"))
_RUNS = table("runs", *map(column, ("run_uuid", "experiment_id", "status", "start_time", "lifecycle_stage")))
_TAGS = table("tags", column("run_uuid"), column("key"), column("value"))
_PARAMS = table("params", column("run_uuid"), column("key"), column("value"))
_METRICS = table("latest_metrics", column("run_uuid"), column("key"), column("value"), column("is_nan"))


def open_database(tracking_uri: str) -> TrackingDatabase | None:
    """Open the database of ``tracking_uri`` to be read in one transaction; None where MLflow itself has to read it.

    Nothing is made, changed or upgraded, and no writer is locked out: PostgreSQL, and SQLite with write-ahead logging,
    show the state at the beginning of the transaction. SQLite without it, as on network disks, lets a writer write, and
    its commit waits for the end of the transaction.
    """
    try:
        engine = _engine(tracking_uri)
        if engine is None:
            return None
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(engine.connect())
            _begin(connection)
            if not _is_known(connection):
                return None
            stack.pop_all()  # it stays open
            return TrackingDatabase(tracking_uri, connection)
    except (SQLAlchemyError, ImportError):  # no driver is an ImportError; MLflow tries again and again, then says why
        return None


class TrackingDatabase:
    """A ``RunReader`` of the database at ``uri``, in the transaction of ``connection``; errors have one line."""

    def __init__(self, uri: str, connection: Connection) -> None:
        self._uri = uri
        self._connection = connection

    def close(self) -> None:
        """End the transaction."""
        self._connection.close()

    def experiments(self) -> dict[str, LoggedExperiment]:
        tags: dict[int, set[str]] = {}
        for experiment_id, key in self._rows(select(_EXPERIMENT_TAGS.c.experiment_id, _EXPERIMENT_TAGS.c.key)):
            tags.setdefault(experiment_id, set()).add(key)
        active = select(_EXPERIMENTS.c.experiment_id, _EXPERIMENTS.c.name).where(
            _EXPERIMENTS.c.lifecycle_stage == "active"
        )
        return {
            str(experiment_id): LoggedExperiment(name, frozenset(tags.get(experiment_id, ())))
            for experiment_id, name in self._rows(active)
        }

    def runs(self, condition: Condition, tags: Collection[str], *, measured: bool = False) -> list[LoggedRun]:
        found = {
            run_id: LoggedRun(run_id, str(experiment_id), status, start_time)
            for run_id, experiment_id, status, start_time in self._rows(_matching(condition))
        }
        run_ids = list(found)
        for begin in range(0, len(run_ids), _NUM_AT_ONCE):
            some = run_ids[begin : begin + _NUM_AT_ONCE]
            for run_id, key, value in self._rows(_content(_TAGS, some).where(_TAGS.c.key.in_(tags))):
                found[run_id].tags[key] = value
            if measured:
                for run_id, key, value in self._rows(_content(_PARAMS, some)):
                    found[run_id].params[key] = value
                for run_id, key, value, is_nan in self._rows(_content(_METRICS, some)):
                    found[run_id].metrics[key] = float("nan") if is_nan else value
        return list(found.values())

    def _rows(self, statement: Select[Any]) -> Sequence[tuple[Any, ...]]:
        """The rows as the driver has them: to wrap each, SQLAlchemy takes as long again as the database."""
        try:
            with self._connection.execute(statement) as result:
                assert result.cursor is not None, "a SELECT has rows"
                try:
                    return result.cursor.fetchall()
                except self._connection.dialect.loaded_dbapi.Error as error:
                    raise DBAPIError(str(statement), None, error) from error
        except SQLAlchemyError as error:
            raise unreadable(self._uri, error) from error


def _content(of: TableClause, run_ids: Sequence[str]) -> Select[Any]:
    return select(*of.c).where(of.c.run_uuid.in_(run_ids))


def _matching(condition: Condition) -> Select[Any]:
    """Select what MLflow's search finds, in its order."""
    run = _RUNS.c
    statement = (
        select(run.run_uuid, run.experiment_id, run.status, run.start_time)
        .join(_EXPERIMENTS, _EXPERIMENTS.c.experiment_id == run.experiment_id)
        .where(run.lifecycle_stage == "active", _EXPERIMENTS.c.lifecycle_stage == "active")
        .order_by(case((run.start_time.is_(None), 1), else_=0), run.start_time, run.run_uuid)
    )
    if condition.status is not None:
        statement = statement.where(run.status == condition.status)
    for key, value in condition.tags.items():
        tag = _TAGS.alias()
        wanted = tag.c.value.is_not(None) if value is None else tag.c.value == value
        statement = statement.join(tag, tag.c.run_uuid == run.run_uuid).where(tag.c.key == key, wanted)
    return statement


def _engine(tracking_uri: str) -> Engine | None:
    """What opens the database; None where it is of a kind that only MLflow reads."""
    if os.environ.get("MLFLOW_ENABLE_WORKSPACES"):  # which runs there are then depends on more than the database
        return None
    kind = tracking_uri.partition(":")[0]
    if kind in ("postgresql", "postgresql+psycopg2", "postgresql+psycopg"):
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        return create_engine(tracking_uri, execution_options=options, poolclass=NullPool)
    path = sqlite_path(tracking_uri)
    if kind not in ("sqlite", "sqlite+pysqlite") or path is None or "?" in tracking_uri:  # options of the connection
        return None
    # not mode=ro, which leaves files of write-ahead logging behind; rw makes no database either
    address = f"{path.absolute().as_uri()}?mode=rw"
    return create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(address, timeout=_LONGEST_WAIT_S, uri=True), poolclass=NullPool
    )


def _begin(connection: Connection) -> None:
    """Begin a transaction that sees one state of the database and cannot write."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.exec_driver_sql("BEGIN")  # Python's sqlite3 begins none to read
    else:
        # several processes would mix up the order in which parameters were logged
        connection.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 0")


def _is_known(connection: Connection) -> bool:
    """Whether the tables are as they are read here, and MLflow would read them without workspaces."""
    versions: Sequence[str] = connection.execute(select(_VERSION.c.version_num)).scalars().all()
    if len(versions) != 1 or versions[0] not in KNOWN_VERSIONS:
        return False
    elsewhere = select(_EXPERIMENTS.c.experiment_id).where(_EXPERIMENTS.c.workspace != "default").limit(1)
    return connection.execute(elsewhere).first() is None
