"""A SQLite address means the file that SQLAlchemy opens."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from analysis.points.tracking_uri import check_scheme, sqlite_path, sqlite_uri, without_credentials


def opened(uri: str) -> Path:
    """The file that SQLAlchemy itself writes to."""
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE mark (number INTEGER)"))
        ((_, _, file),) = connection.execute(sqlalchemy.text("PRAGMA database_list"))
    engine.dispose()
    return Path(file)


@pytest.mark.parametrize("name", ["plain", "a b#c", "a b#c%25d", "a b#c%25d?e", "100 % sure?", "me:you@home", "ü&=+;"])
def test_the_path_of_an_address_is_the_file_that_is_opened(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    path = folder / "mlflow.db"
    try:
        uri = sqlite_uri(path)
    except ValueError as error:  # before SQLAlchemy 2.1, which decodes %3F
        assert "?" in name
        assert "keep it in a folder without" in str(error)  # noqa: PT017
        return
    assert opened(uri) == path == sqlite_path(uri)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mark",)]
    connection.close()


def test_relative_paths_and_options_are_understood() -> None:
    assert sqlite_path("sqlite:///mlflow.db") == Path("mlflow.db")
    assert sqlite_path("sqlite+pysqlite:////a/b.db?timeout=30") == Path("/a/b.db")
    assert sqlite_uri(Path("mlflow.db")) == "sqlite:///mlflow.db"
    assert sqlite_uri(Path("/a b#c/x.db")) == "sqlite:////a b#c/x.db"


def test_what_is_no_sqlite_address_has_no_path() -> None:
    for uri in ("http://host:5000", "postgresql://me:secret@host/sqlite", "./mlruns", "mlflow.db"):
        assert sqlite_path(uri) is None


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:////a?b/mlflow.db", r"means '/a', because options begin at '\?': write '\?' in a path as %3F"),
        ("sqlite://", "in memory, where no other process finds it"),
        ("sqlite:///:memory:", "in memory, where no other process finds it"),
        ("sqlite:mlflow.db", "is no address of a database: wanted such as sqlite:///mlflow.db"),
    ],
)
def test_an_address_that_means_something_else_is_refused(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sqlite_path(uri)


def test_credentials_are_not_shown() -> None:
    assert without_credentials("http://me:se#c@ret@host:5000/x") == "http://host:5000/x"
    for uri in ("http://host/@x", "sqlite:////home/a@b/mlflow.db", "./mlruns"):
        assert without_credentials(uri) == uri


def test_an_address_of_no_kind_of_mlflow_is_refused_without_its_password() -> None:
    with pytest.raises(ValueError) as caught:
        check_scheme("foo://me:secret@bar")
    assert str(caught.value) == (
        "no MLflow is at foo://bar, since 'foo' is no kind of its addresses: wanted a server's, such as "
        "http://host:5000, or a database's, such as sqlite:///mlflow.db"
    )
    for uri in ("http://host", "sqlite:///a.db", "postgresql+psycopg2://host/mlflow", "mlruns", "databricks"):
        check_scheme(uri)
