"""The making of an MLflow database: nobody looks meanwhile, and where it fails nothing is left of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from analysis.points.database_lock import naming_a_full_disk, opening


def full_disk(database: Path) -> None:
    """Write to a database that may have no more pages, as on a full disk."""
    connection = sqlite3.connect(database)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA max_page_count=2")
        for number in range(9):
            connection.execute(f"CREATE TABLE t{number} (a TEXT)")
            connection.commit()
    finally:
        connection.close()


@pytest.mark.parametrize("content", [None, b""])
def test_half_of_a_database_is_removed_and_the_error_names_it(content: bytes | None, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    if content is not None:
        database.write_bytes(content)
    uri = f"sqlite:///{database}"
    with pytest.raises(OSError, match=r"No space left on device: .*mlflow\.db"), naming_a_full_disk(uri), opening(uri):
        full_disk(database)
    assert [path.name for path in tmp_path.iterdir()] == [".mlflow.db.lock"]


def test_a_database_that_was_there_stays(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE kept (a TEXT)")
    with pytest.raises(sqlite3.OperationalError, match="full"), opening(f"sqlite:///{database}"):
        full_disk(database)
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'kept'").fetchall() == [("kept",)]


def test_other_errors_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="locked"), naming_a_full_disk("sqlite:///x.db"):
        raise sqlite3.OperationalError("database is locked")
