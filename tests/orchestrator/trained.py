"""A small sweep whose trials are trained without Ray, and what MLflow has of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.planning.study import plan
from orchestrator.running.place import Place
from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import open_journal
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.resources import TrialResources
from orchestrator.sweep.trials import Trial
from orchestrator.trial import Request, Setting, execute
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent

SWEEP = Sweep.from_dict(
    {
        "name": "small",
        "task": "digits",
        "architecture": {"name": "mlp", "hidden": [4]},
        "method": [{"name": "epr", "lam": 0.5}, "uncompressed"],
        "steps": 17,
    }
)
EPR, PLAIN = "0000-epr-s0", "0001-uncompressed-s0"
"""Its trials."""


class NoView(AbstractView):
    """Shows nothing."""

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        yield

    def show(self, event: AbstractEvent, board: Board) -> None:
        pass


def train(journal: Journal, trial: Trial) -> None:
    """Run one trial here, as a worker does."""
    setting = Setting(sweep_id=SWEEP.sweep_id, location=journal.location, import_path=journal.location)
    request = Request(
        setting=setting, trial_id=trial.trial_id, config=trial.config.to_dict(), resources=TrialResources()
    )
    execute(request, report=lambda progress: None, track=lambda trial_id: None)


def train_all(folder: Path) -> None:
    """Leave what workers leave when everything after them was killed."""
    journal = open_journal(str(folder))
    journal.begin_sweep(SWEEP.to_yaml())
    for trial in plan(SWEEP):
        train(journal, trial)


def runs_of(place: Place, name: str = "small") -> list[Any]:
    """All runs that MLflow has of an experiment."""
    from mlflow import MlflowClient

    client = MlflowClient(place.tracking_uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))
