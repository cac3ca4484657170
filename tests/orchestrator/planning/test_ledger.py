"""What a sweep has spent of its budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.planning.ledger import Ledger
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.budget import Budget
from tests.points import point


def test_what_earlier_processes_spent_is_read_from_the_journal(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    for trial_id in ("a", "b", "c"):
        journal.begin(trial_id, {}, {"gpu": "0.5"})
    journal.append_progress("a", {"step": 1, "train_s": 3.0})
    journal.append_progress("b", {"step": 1, "train_s": 4.0})
    journal.finish("b", [point(train_s=5.0)])
    ledger = Ledger(Budget(trials=3, train_s=8.5))
    for trial_id in ("a", "b", "c"):
        ledger.read(trial_id, journal)
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


def test_a_trial_that_was_cut_off_is_no_new_one_when_it_goes_on(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    for trial_id in ("a", "b"):
        journal.begin(trial_id, {}, {})
        journal.append_progress(trial_id, {"step": 1, "train_s": 3.0})
    journal.fail("a", "it broke")
    ledger = Ledger(Budget(trials=2))
    for trial_id in ("a", "b"):
        ledger.read(trial_id, journal)
    assert ledger.spent() == ""
    ledger.start("b", 0.0)
    assert ledger.spent() == "budget.trials is 2, and 2 are spent"


def test_hours_of_a_gpu_are_priced_with_the_share_that_each_second_had(tmp_path: Path) -> None:
    journal = Journal(LocalFolder(tmp_path))
    journal.begin("a", {}, {"gpu": "0.5"})
    journal.append_progress("a", {"step": 1, "train_s": 3600.0})
    ledger = Ledger(Budget(gpu_h=1.4))
    ledger.read("a", journal)
    ledger.start("a", 1.0)
    ledger.note("a", 3600.0 + 3000.0)
    assert ledger.spent() == ""
    ledger.note("a", 3600.0 + 3300.0)
    assert ledger.spent() == "budget.gpu_h is 1.4, and 1.417 are spent"
