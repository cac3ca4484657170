"""Links into MLflow's UI."""

from __future__ import annotations

import pytest

from orchestrator.tracking.ui import links


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
