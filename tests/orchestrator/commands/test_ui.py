"""The command that opens MLflow's UI on a sweep."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from orchestrator.cli import program
from orchestrator.commands.ui import _refuse_folder
from orchestrator.tracking.ui import server
from tests.analysis.points.store import Writer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> tuple[str, str, str]:
    """Two sweeps, the older with views: the address of the store, and both run ids."""
    folder = tmp_path_factory.mktemp("store")
    (folder / "mlflow.db").write_bytes(empty_store)
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("digits", (folder / "artifacts").as_uri())
    older = Writer(client, experiment, "digits-0123abcd")
    older.trial("t0", 2)
    client.set_experiment_tag(experiment, "mlflow.sharedViewState.digits-0123abcd-frontier", "{}")
    newer = Writer(client, experiment, "digits-4567abcd")
    return uri, older.parent, newer.parent


def test_a_port_that_something_else_has_is_one_clear_line(
    store: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = CliRunner().invoke(program, ["ui", "--tracking-uri", store[0], "--port", str(port), "--no-open"])
    assert said.exit_code == 2
    assert said.stderr == (
        f"ratefront: port {port} is taken by something else than MLflow's server of this store: "
        f"end that, or give another such as --port {port + 1}\n"
    )


def test_the_newest_sweep_is_opened_unless_one_is_named(
    store: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, older, newer = store
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(server, "is_serving", lambda port, run_id: True)
    said = CliRunner().invoke(program, ["ui", "--tracking-uri", uri, "--port", "5001"])
    assert said.exit_code == 0
    first, second, *_ = said.stdout.splitlines()
    assert first.startswith("digits-0123abcd  http://127.0.0.1:5001/#/experiments/1/runs?workflowType=")
    assert second == "digits-4567abcd"
    assert "searchFilter=tags.%60ratefront.sweep_id%60%20%3D%20%27digits-4567abcd%27" in opened[0]  # it has no views
    assert f"/runs/{newer}?" in said.stdout

    named = CliRunner().invoke(program, ["ui", "digits-0123abcd", "--tracking-uri", uri, "--port", "5001"])
    assert opened[1].endswith("&compareRunsMode=CHART&viewStateShareKey=digits-0123abcd-points")
    assert f"/runs/{older}?" in named.stdout
    assert "digits-4567abcd" not in named.stdout


def test_no_browser_is_started_where_there_is_no_screen_or_none_is_wanted(
    store: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(server, "is_serving", lambda port, run_id: True)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    CliRunner().invoke(program, ["ui", "--tracking-uri", store[0]])
    monkeypatch.setenv("DISPLAY", ":0")
    CliRunner().invoke(program, ["ui", "--tracking-uri", store[0], "--no-open"])
    assert opened == []


def test_a_sweep_that_is_not_there_is_one_line(store: tuple[str, str, str], tmp_path: Path) -> None:
    said = CliRunner().invoke(program, ["ui", "digit", "--tracking-uri", store[0]])
    assert (said.exit_code, said.stderr) == (2, "ratefront: no sweep 'digit'; did you mean 'digits'?\n")


def test_a_folder_where_a_sweep_of_mlflow_is_wanted_is_refused_with_its_database(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        _refuse_folder(str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path} is a path: ui wants the id or name of a sweep, and --tracking-uri, where its MLflow is not the "
        "default"
    )
    (tmp_path / "mlflow.db").touch()
    with pytest.raises(ValueError, match=f"a sweep, and --tracking-uri sqlite:///{tmp_path}/mlflow.db"):
        _refuse_folder(str(tmp_path))
    _refuse_folder("digits-1a2b3c4d")
    _refuse_folder(None)
