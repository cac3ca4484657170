"""What counts as spent."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from orchestrator.budget import Budget, Ledger
from orchestrator.journal import Ended, Journal, Outcome
from tests.points import point


@dataclasses.dataclass
class Report:
    step: int
    train_s: float


def test_what_earlier_processes_spent_is_read_from_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for trial_id in ("a", "b", "c"):
        journal.begin(trial_id, {}, {})
    journal.append_progress("a", Report(step=1, train_s=3.0))
    journal.append_progress("b", Report(step=1, train_s=4.0))
    journal.end("b", Ended(outcome=Outcome.FINISHED, points=(point(train_s=5.0),)))
    ledger = Ledger(Budget(trials=3, train_s=8.5))
    for trial_id in ("a", "b", "c"):
        ledger.read(trial_id, 0.0, journal)
    assert ledger.train_s == 8.0
    assert ledger.spent() == ""
    ledger.start("a", 0.0)  # it goes on
    ledger.note("a", 3.5)
    assert ledger.spent() == "budget.train_s is 8.5, and 8.5 are spent"


def test_time_on_the_wall_begins_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    ledger = Ledger(Budget(wall_s=60))
    now[0] += 59
    assert ledger.spent() == ""
    now[0] += 1
    assert ledger.spent() == "budget.wall_s is 60, and 60 are spent"
