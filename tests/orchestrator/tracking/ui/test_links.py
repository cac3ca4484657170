"""Links into MLflow's UI, and the command that prints them."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from orchestrator.cli import main
from orchestrator.commands.outcome import where_to_look
from orchestrator.tracking.ui import links, server
from tests.analysis.points.store import Writer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Two sweeps, the older with views: the address of the store, and both run ids."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("digits", (folder / "artifacts").as_uri())
    older = Writer(client, experiment, "digits-0123abcd")
    older.trial("t0", 2)
    client.set_experiment_tag(experiment, "mlflow.sharedViewState.digits-0123abcd-frontier", "{}")
    newer = Writer(client, experiment, "digits-4567abcd")
    return uri, older.parent, newer.parent


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port, and what was asked of it: it knows the runs whose ids begin with ``known``."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if "run_id=known" in self.path else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield listening.server_port, asked
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_sweep_that_the_ui_draws_whole_opens_on_all_points() -> None:
    found = links.pages("http://host:5000/", "3", "ab", "s-1", 100)
    start = "http://host:5000/#/experiments/3/runs?workflowType=machine_learning"
    assert list(found) == ["charts", "frontier", "curves", "sweep"]
    assert found["charts"] == f"{start}&compareRunsMode=CHART&viewStateShareKey=s-1-points"
    assert found["frontier"] == f"{start}&viewStateShareKey=s-1-frontier"
    assert found["sweep"] == "http://host:5000/#/experiments/3/runs/ab?workflowType=machine_learning"


def test_a_larger_sweep_opens_on_its_frontier() -> None:
    assert links.pages("http://host", "3", "ab", "s-1", 101)["charts"].endswith("viewStateShareKey=s-1-frontier")


def test_links_within_the_ui_need_no_host() -> None:
    assert links.artifact("", "3", "ab", "frontier/a b.html") == (
        "#/experiments/3/runs/ab/artifacts/frontier/a%20b.html?workflowType=machine_learning"
    )


def test_the_command_names_a_store_that_is_not_the_default_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    assert links.ui_command("sqlite:///here.db", "s-1") == "ratefront ui s-1"
    assert links.ui_command("sqlite:///a b.db", "s-1") == "ratefront ui s-1 --tracking-uri 'sqlite:///a b.db'"
    assert links.ui_command("postgresql://me:secret@db/m", "s-1").endswith(" --tracking-uri postgresql://db/m")


def test_a_server_of_the_same_store_is_used(listener: tuple[int, list[str]]) -> None:
    port, asked = listener
    assert server.is_serving(port, "known1")
    assert asked == ["/api/2.0/mlflow/runs/get?run_id=known1"]


def test_a_port_that_something_else_has_is_one_clear_line(
    listener: tuple[int, list[str]], store: tuple[str, str, str]
) -> None:
    port, _ = listener
    said = CliRunner().invoke(main, ["ui", "--tracking-uri", store[0], "--port", str(port), "--no-open"])
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
    said = CliRunner().invoke(main, ["ui", "--tracking-uri", uri, "--port", "5001"])
    assert said.exit_code == 0
    first, second, *_ = said.stdout.splitlines()
    assert first.startswith("digits-0123abcd  http://127.0.0.1:5001/#/experiments/1/runs?workflowType=")
    assert second == "digits-4567abcd"
    assert "searchFilter=tags.%60ratefront.sweep_id%60%20%3D%20%27digits-4567abcd%27" in opened[0]  # it has no views
    assert f"/runs/{newer}?" in said.stdout

    named = CliRunner().invoke(main, ["ui", "digits-0123abcd", "--tracking-uri", uri, "--port", "5001"])
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
    CliRunner().invoke(main, ["ui", "--tracking-uri", store[0]])
    monkeypatch.setenv("DISPLAY", ":0")
    CliRunner().invoke(main, ["ui", "--tracking-uri", store[0], "--no-open"])
    assert opened == []


def test_a_sweep_that_is_not_there_is_one_line(store: tuple[str, str, str], tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["ui", "digit", "--tracking-uri", store[0]])
    assert (said.exit_code, said.stderr) == (2, "ratefront: no sweep 'digit'; did you mean 'digits'?\n")


def test_the_end_of_a_sweep_prints_the_links_of_a_server_or_the_command_that_makes_them() -> None:
    assert where_to_look({"pages": {"charts": "http://host/#/a"}, "ui_command": ""}) == [
        *("in MLflow's UI:", "  charts    http://host/#/a", "")
    ]
    assert where_to_look({"pages": {}, "ui_command": "ratefront ui s-1"}) == ["in MLflow's UI: ratefront ui s-1", ""]
    assert where_to_look({"summary": "of an earlier version"}) == []
