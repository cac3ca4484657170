"""What ``sync`` says and leaves, where sweeps are damaged or have moved."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestrator.cli import program
from orchestrator.running import publish
from orchestrator.running.place import Place
from orchestrator.running.sync import sync_sweep
from orchestrator.storage.journal import Journal
from tests.orchestrator.trained import SWEEP

pytestmark = pytest.mark.usefixtures("bare_end")


@pytest.fixture
def bare_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a sweep without its report, which takes seconds."""
    monkeypatch.setattr(publish, "log_report", lambda *_, **__: "")


def call(place: Place, *arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--tracking-uri", place.tracking_uri])


def test_one_sweep_that_cannot_be_synced_costs_no_other(place: Place, trained: Journal) -> None:
    other = Path(place.storage) / "another-0123abcd"
    other.mkdir()
    (other / "sweep.yaml").write_bytes(bytes(30))
    said = call(place, "sync", "--storage", place.storage)
    assert said.exit_code == 1
    assert f"{SWEEP.sweep_id}: 2 finished trials are in MLflow" in said.output
    assert f"ratefront: {other}/sweep.yaml is damaged (" in said.output
    alone = call(place, "sync", other.name, "--storage", place.storage)
    assert (alone.exit_code, alone.output.count("\n")) == (2, 1)


def test_a_trial_whose_file_is_gone_is_not_counted_as_logged(place: Place, trained: Journal) -> None:
    next(Path(trained.location).glob("trials/*/point.rfz")).unlink()
    said = call(place, "sync", "--storage", place.storage)
    assert said.exit_code == 1
    assert f"{SWEEP.sweep_id}: 1 finished trials are in MLflow" in said.output
    assert "point.rfz is not there" in said.output


def test_after_a_move_and_a_sync_the_file_to_ship_is_found_where_it_is(
    place: Place, trained: Journal, tmp_path: Path
) -> None:
    sync_sweep(SWEEP.sweep_id, place)
    moved = tmp_path / "moved"
    shutil.move(place.storage, moved)
    lost = call(place, "best", SWEEP.sweep_id, "--max-size", "1MB")
    assert lost.exit_code == 1
    sync_sweep(SWEEP.sweep_id, dataclasses.replace(place, storage=str(moved)))
    found = call(place, "best", SWEEP.sweep_id, "--max-size", "1MB")
    assert found.exit_code == 0, found.output
    assert found.output.startswith(f"{moved}/{SWEEP.sweep_id}/trials/")
    exported = call(place, "export", SWEEP.sweep_id, "--out", str(tmp_path / "out"))
    assert exported.exit_code == 0, exported.output
