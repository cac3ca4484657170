"""What SQL reads from MLflow's database is what MLflow reads, and the database does not notice."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from analysis.points import tracking_database
from analysis.points.logged_runs import Condition
from analysis.points.mlflow import list_sweeps, load_points
from analysis.points.tracking_database import TrackingDatabase, open_database
from analysis.points.tracking_uri import sqlite_uri
from tests.analysis.points.store import ODD_TEXT, write_everything

IS_SWEEP = Condition(tags={"ratefront.kind": "sweep"})


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> Path:
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("everything") / "mlflow.db"
    path.write_bytes(empty_store)
    write_everything(MlflowClient(sqlite_uri(path)), str(path.parent))
    return path


@pytest.fixture
def copied(everything: Path, tmp_path: Path) -> Path:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(everything)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path


def opened(path: Path) -> contextlib.closing[TrackingDatabase]:
    database = open_database(sqlite_uri(path))
    assert database is not None
    return closing(database)


def alter(path: Path, statement: str) -> None:
    """Change a database by one statement of SQL."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


@contextlib.contextmanager
def by_mlflow() -> Iterator[None]:
    """Let MLflow read, as it does a database of another version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking_database, "KNOWN_VERSIONS", frozenset())
        yield


@pytest.mark.parametrize("read", [load_points, list_sweeps])
@pytest.mark.parametrize(
    "asked", [[], ["digits"], ["digits-00000001"], ["digits-00000002", "empty", "digits-00000001"], ["empty"]]
)
def test_frames_are_those_of_mlflow(
    read: Callable[..., pd.DataFrame], asked: list[str], everything: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = sqlite_uri(everything)
    with by_mlflow():
        expected = read(uri, asked)
    with monkeypatch.context() as patch:
        patch.setattr("analysis.points.mlflow._Store", None)
        patch.setattr(tracking_database, "_NUM_AT_ONCE", 2)
        found = read(uri, asked)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_the_oddities_are_there(everything: Path) -> None:
    points = load_points(sqlite_uri(everything)).set_index("config_hash")
    assert list(points.index) == ["abc", "nan", "nan", "steps", "odd"]
    assert points["quality"].isna().tolist() == [False, True, True, False, False]
    assert points.loc["steps", "quality"] == 0.7
    assert points.loc["steps", "num_failed"] == 1
    assert len(points.loc["odd", "zero_weights"]) == 7800
    assert points.loc["odd", "directory"] == ODD_TEXT
    assert ODD_TEXT in points.loc["odd", "config"]


def test_an_unknown_sweep_is_the_same_mistake(everything: Path) -> None:
    with pytest.raises(ValueError, match=r"^no sweep 'digit'; did you mean 'digits'\?$"):
        load_points(sqlite_uri(everything), ["digit"])
    with pytest.raises(ValueError, match="no sweep 'lost'"):
        load_points(sqlite_uri(everything), ["lost"])


def test_the_tables_of_the_installed_mlflow_are_known(workplace: Path) -> None:
    """Where this fails, compare MLflow's tables with those read here, then add its version."""
    with opened(workplace / "mlflow.db") as database:
        assert database.runs(IS_SWEEP, []) == []
        assert [one.name for one in database.experiments().values()] == ["Default"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = 'a8c4a736bde6'",
        "INSERT INTO alembic_version VALUES ('a8c4a736bde6')",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
        "UPDATE experiments SET workspace = 'theirs' WHERE name = 'first'",
    ],
)
def test_other_tables_are_left_to_mlflow(change: str, copied: Path) -> None:
    alter(copied, change)
    assert open_database(sqlite_uri(copied)) is None


def test_an_outdated_database_is_mlflows_error(copied: Path) -> None:
    alter(copied, "UPDATE alembic_version SET version_num = 'a8c4a736bde6'")
    with pytest.raises(ConnectionError, match=r"cannot read sqlite:.*out-of-date database schema"):
        load_points(sqlite_uri(copied))


def test_workspaces_and_other_addresses_are_left_to_mlflow(everything: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = sqlite_uri(everything)
    addresses = [f"{uri}?timeout=3", uri.replace("sqlite:", "sqlite+other:"), "mysql://host/x", "mssql+pyodbc://host/x"]
    assert [open_database(one) for one in addresses] == [None] * 4
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    assert open_database(uri) is None


def test_a_database_server_that_does_not_answer_is_left_to_mlflow() -> None:
    assert open_database("postgresql+psycopg2://me:secret@127.0.0.1:1/mlflow") is None


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_reading_leaves_everything_as_it_was(mode: str, copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
    before = copied.read_bytes(), copied.stat().st_mtime_ns
    load_points(sqlite_uri(copied))
    list_sweeps(sqlite_uri(copied))
    assert [path.name for path in copied.parent.iterdir()] == ["mlflow.db"]
    assert (copied.read_bytes(), copied.stat().st_mtime_ns) == before
    with opened(copied) as database, pytest.raises(Exception, match="readonly database"):
        database._connection.exec_driver_sql("DELETE FROM runs")


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    assert open_database(sqlite_uri(tmp_path / "absent.db")) is None
    assert not list(tmp_path.iterdir())
    (tmp_path / "empty.db").touch()
    assert open_database(sqlite_uri(tmp_path / "empty.db")) is None
    assert (tmp_path / "empty.db").read_bytes() == b""


@pytest.mark.parametrize("folder", ["a b#c", "100%", "ä;'\"&=+:", "%41", "a?b"])
def test_a_database_is_found_in_any_folder(folder: str, everything: Path, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "mlflow.db"
    path.write_bytes(everything.read_bytes())
    with opened(path) as database:
        assert len(database.runs(IS_SWEEP, [])) == 3


def test_a_relative_address_is_read(everything: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(everything.parent)
    assert len(load_points("sqlite:///mlflow.db")) == 5


def test_one_state_is_read_and_a_writer_goes_on(copied: Path) -> None:
    with closing(sqlite3.connect(copied, timeout=0)) as writer:
        writer.execute("PRAGMA journal_mode=wal")
        with opened(copied) as database:
            before = database.runs(IS_SWEEP, ["ratefront.sweep_id"], measured=True)
            writer.execute("UPDATE tags SET value = 'changed' WHERE key = 'ratefront.sweep_id'")
            writer.execute("DELETE FROM params")
            writer.commit()
            assert database.runs(IS_SWEEP, ["ratefront.sweep_id"], measured=True) == before
        with opened(copied) as database:
            after = database.runs(IS_SWEEP, ["ratefront.sweep_id"], measured=True)
    assert {run.tags["ratefront.sweep_id"] for run in after} == {"changed"}


def test_without_write_ahead_logging_a_commit_waits_for_the_end_of_the_reading(copied: Path) -> None:
    with closing(sqlite3.connect(copied, timeout=0)) as writer:
        with opened(copied) as database:
            before = database.runs(IS_SWEEP, [])
            writer.execute("DELETE FROM runs WHERE run_uuid = ?", (before[0].run_id,))
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                writer.commit()
        writer.commit()
        with opened(copied) as database:
            assert database.runs(IS_SWEEP, []) == before[1:]


WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60)
(point,) = connection.execute("SELECT run_uuid FROM tags WHERE key = 'ratefront.config_hash' AND value = 'odd'"
                              " AND run_uuid IN (SELECT run_uuid FROM params)").fetchone()
print("begins", flush=True)
for number in range(200):
    run_id = f"{number:032x}"
    for table in ("runs", "tags", "params", "latest_metrics"):
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        shown = [{"run_uuid": f"'{run_id}'"}.get(name, f'"{name}"') for name in names]
        if table == "tags":
            shown[names.index("value")] = f"CASE key WHEN 'ratefront.config_hash' THEN '{number}' ELSE value END"
        connection.execute(f"INSERT INTO {table} SELECT {', '.join(shown)} FROM {table} WHERE run_uuid = ?", (point,))
    connection.commit()
"""


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_each_look_at_a_growing_store_shows_whole_points(mode: str, copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
    seen = []
    with subprocess.Popen([sys.executable, "-c", WRITER, str(copied)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while process.poll() is None:
            seen.append(len(load_points(sqlite_uri(copied))))
    assert process.returncode == 0
    assert seen == sorted(seen)
    assert len(load_points(sqlite_uri(copied))) == 205


def test_a_locked_database_is_left_to_mlflow_which_waits(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_database, "_LONGEST_WAIT_S", 0.0)
    with closing(sqlite3.connect(copied, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert open_database(sqlite_uri(copied)) is None
        other.execute("ROLLBACK")
    with opened(copied) as database:
        assert len(database.runs(IS_SWEEP, [])) == 3


def test_a_damaged_database_is_one_line(copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'index_params_run_uuid'")
        ((page_size,),) = connection.execute("PRAGMA page_size")
    with copied.open("r+b") as file:
        file.seek((page - 1) * page_size)
        file.write(os.urandom(8) + b"\xff" * (page_size - 8))
    with pytest.raises(ConnectionError, match=r"^cannot read sqlite:.*\(sqlite3\.DatabaseError\) .*malformed$"):
        load_points(sqlite_uri(copied))


def test_text_that_is_none_is_one_line(copied: Path) -> None:
    alter(copied, "UPDATE params SET value = CAST(x'ff' AS TEXT) WHERE key = 'method.note'")
    with pytest.raises(ConnectionError, match=r"^cannot read sqlite:.*\(sqlite3\.OperationalError\) Could not decode"):
        load_points(sqlite_uri(copied))


def test_mlflow_is_not_imported(everything: Path) -> None:
    program = (
        "import sys; from analysis import load_points, summarise; "
        f"summarise(load_points({sqlite_uri(everything)!r}, ['digits'])); print('mlflow' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
