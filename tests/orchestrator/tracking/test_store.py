"""The tracking store: what is made of it before a sweep, and what it says of itself."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.tracking import store as stores
from orchestrator.tracking.store import Store, all_runs, default_tracking_uri


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that was prepared for one experiment, in a folder that was not there."""
    store = Store(tracking_uri=f"sqlite:///{tmp_path_factory.mktemp('store')}/new/mlflow.db")
    store.check()
    assert store.prepare("small") == {}
    return store


def client_of(store: Store) -> MlflowClient:
    return MlflowClient(store.tracking_uri)


def folder_of(store: Store) -> Path:
    return Path(store.tracking_uri.removeprefix("sqlite:///")).parent


def test_a_new_store_reads_while_it_writes_and_keeps_its_files_beside_it(local: Store) -> None:
    with sqlite3.connect(folder_of(local) / "mlflow.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    experiment = client_of(local).get_experiment_by_name("small")
    assert experiment is not None
    assert experiment.artifact_location == (folder_of(local) / "mlartifacts" / "small").as_uri()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Store, sqlite3.Connection]]:
    """A store in a file that somebody writes to and lets nobody else use."""
    holder = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None, check_same_thread=False)
    holder.execute("CREATE TABLE held (value)")
    holder.execute("BEGIN EXCLUSIVE")
    yield Store(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db"), holder
    holder.close()


def test_a_database_that_another_process_holds_is_waited_for(held: tuple[Store, sqlite3.Connection]) -> None:
    store, holder = held
    release = threading.Timer(0.3, holder.execute, ["COMMIT"])
    release.start()
    assert store.prepare("small") == {}
    release.join()


def test_a_database_that_is_held_for_ever_is_given_up(
    held: tuple[Store, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_LONGEST_WAIT_S", 0.2)
    with pytest.raises(ConnectionError, match=r"another process has kept .*mlflow\.db locked for 0 s: end it, or wait"):
        held[0].prepare("small")


def test_preparing_again_tells_the_instance_of_each_sweep(local: Store) -> None:
    client = client_of(local)
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    kinds = (("sweep", "s-1", "abc"), ("trial", "s-1", "abc"), ("sweep", "s-2", None))
    for kind, sweep_id, instance in kinds:
        tags = {"ratefront.kind": kind, "ratefront.sweep_id": sweep_id}
        client.create_run(experiment.experiment_id, tags=tags | ({"ratefront.instance": instance} if instance else {}))
    client.create_run(experiment.experiment_id, tags={"somebody": "else's"})
    assert local.prepare("small") == {"s-1": "abc", "s-2": ""}


def test_a_deleted_experiment_is_not_made_again(local: Store) -> None:
    local.prepare("gone")
    experiment = client_of(local).get_experiment_by_name("gone")
    assert experiment is not None
    client_of(local).delete_experiment(experiment.experiment_id)
    with pytest.raises(
        ValueError, match=r"experiment 'gone' was deleted in MLflow: restore it, or give the sweep another"
    ):
        local.prepare("gone")


def test_a_search_reads_every_page() -> None:
    pages = {None: (["a", "b"], "2"), "2": (["c"], "3"), "3": ([], None)}
    asked: list[tuple[list[str], str]] = []

    class Page(list):  # type: ignore[type-arg]
        token: str | None

    def search_runs(ids: list[str], condition: str, *, page_token: str | None, **_: Any) -> Page:
        asked.append((ids, condition))
        page = Page(pages[page_token][0])
        page.token = pages[page_token][1]
        return page

    assert all_runs(SimpleNamespace(search_runs=search_runs), "7", "status = 'x'") == ["a", "b", "c"]
    assert asked == [(["7"], "status = 'x'")] * 3


def test_a_store_that_does_not_answer_says_why() -> None:
    away = Store(tracking_uri="http://127.0.0.1:9")
    assert away.why_unreachable().startswith("no MLflow server answers at http://127.0.0.1:9: ")
    with pytest.raises(ConnectionError, match="no MLflow server answers"):
        away.check()


def test_a_store_that_answers_has_no_reason(local: Store) -> None:
    assert local.why_unreachable() == ""


def test_the_address_of_the_ui_is_the_servers_without_its_password() -> None:
    store = Store(tracking_uri="http://me:secret@host:5000")
    assert store.ui == "http://host:5000"
    assert dataclasses.replace(store, ui_url="https://ui.example").ui == "https://ui.example"
    assert dataclasses.replace(store, tracking_uri="sqlite:///mlflow.db").ui is None


def test_the_default_store_is_the_environments_or_a_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert default_tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert default_tracking_uri() == "http://host:5000"


@pytest.mark.parametrize(("kind", "is_far"), [("nfs4", True), ("ext4", False)])
def test_a_disk_in_the_network_gets_no_write_ahead_log(
    kind: str, is_far: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log needs memory that processes share, which such a disk does not have. The innermost mount counts."""
    mounts = f"rootfs / ext4 rw 0 0\nserver:/export {tmp_path} {kind} rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", _reading(mounts, Path.read_text))
    assert stores._on_network_disk(tmp_path / "sweeps") is is_far


def _reading(mounts: str, read_text: Callable[..., str]) -> Callable[..., str]:
    def read(path: Path, *given: Any, **named: Any) -> str:
        return mounts if path == Path("/proc/self/mounts") else read_text(path, *given, **named)

    return read
