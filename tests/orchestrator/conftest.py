"""A place for sweeps, with a tracking store, and a small sweep whose trials were trained once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.running.place import Place
from orchestrator.storage.journal import Journal
from tests.orchestrator.trained import SWEEP, train_all


@pytest.fixture
def place(tmp_path: Path, empty_store: bytes) -> Place:
    (tmp_path / "mlflow.db").write_bytes(empty_store)
    return Place(
        storage=str(tmp_path / "sweeps"), tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", import_path=tmp_path
    )


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``SWEEP`` with all its trials; nobody writes to it."""
    folder = tmp_path_factory.mktemp("trained") / SWEEP.sweep_id
    train_all(folder)
    return folder


@pytest.fixture
def trained(place: Place, trained_once: Path) -> Journal:
    """The journal of ``SWEEP`` at ``place``, as workers leave it when everything after them was killed."""
    shutil.copytree(trained_once, Path(place.storage) / SWEEP.sweep_id)
    return place.journal(SWEEP.sweep_id)
