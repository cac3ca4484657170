"""A sweep that this process holds: what it knows of earlier ones, and what is left."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from orchestrator.planning import study
from orchestrator.planning.checks import check_identity
from orchestrator.planning.retries import forget_failures
from orchestrator.planning.session import Session
from orchestrator.planning.study import plan
from orchestrator.storage.folder import LocalFolder, MemoryFolder
from orchestrator.storage.journal import Journal, Outcome
from orchestrator.sweep.definition import Sweep
from tests.orchestrator.storage.samples import REPORT
from tests.points import point

DOCUMENT = {"task": "digits", "architecture": "mlp", "method": {"name": "epr", "lam": [0.1, 0.2, 0.3, 0.4]}}
TRIALS = [f"{number:04d}-epr-s0" for number in range(4)]


def session_of(journal: Journal, **changes: object) -> Session:
    sweep = Sweep.from_dict({**DOCUMENT, **changes})
    return Session.open(sweep, sweep.sweep_id, journal)


@pytest.fixture
def journal() -> Journal:
    """One trial finished, one was stopped, one failed, one never began."""
    journal = Journal(MemoryFolder())
    for trial_id in TRIALS[:3]:
        journal.begin(trial_id, {}, {"gpu": "0"})
    journal.finish(TRIALS[0], [point(train_s=5.0)])
    journal.stop(TRIALS[1], "it was last")
    journal.fail(TRIALS[2], "it must")
    return journal


def test_trials_are_counted_by_how_they_ended(journal: Journal) -> None:
    session = session_of(journal)
    assert session.count() == {Outcome.FINISHED: 1, Outcome.FAILED: 1, Outcome.STOPPED: 1, None: 1}
    assert sorted(session.ended()) == TRIALS[:3]
    assert session.num_over() == 2
    assert [trial.trial_id for trial in session.left()] == TRIALS[2:]


def test_opening_restores_what_was_spent_and_writes_nothing(journal: Journal) -> None:
    before = {trial_id: journal.ended(trial_id) for trial_id in TRIALS}
    session = session_of(journal)
    assert session.ledger.train_s == 5.0
    assert {trial_id: journal.ended(trial_id) for trial_id in TRIALS} == before
    assert journal.instance is None


def test_there_is_more_until_every_trial_is_over(journal: Journal) -> None:
    assert session_of(journal).has_more()
    journal.begin(TRIALS[3], {}, {"gpu": "0"})
    for trial_id in TRIALS[2:]:
        journal.finish(trial_id, [point()])
    assert not session_of(journal).has_more()


def test_there_is_no_more_once_the_budget_is_spent(journal: Journal) -> None:
    assert session_of(journal, budget={"trials": 4}).has_more()
    assert not session_of(journal, budget={"trials": 3}).has_more()


def test_trials_that_an_adaptive_search_has_not_asked_for_are_still_to_come() -> None:
    session = session_of(Journal(MemoryFolder()), search={"name": "tpe", "num_trials": 3})
    assert session.count()[None] == 3
    assert (session.left(), session.has_more()) == ([], True)


def test_resuming_reads_each_file_of_a_trial_a_fixed_number_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()
    read = LocalFolder.read

    def counted(folder: LocalFolder, name: str) -> bytes | None:
        reads[name.rpartition("/")[2]] += 1
        return read(folder, name)

    journal = Journal(LocalFolder(tmp_path))
    sweep = Sweep.from_dict(DOCUMENT)
    for trial in plan(sweep)[:3]:
        journal.begin(trial.trial_id, trial.config.to_dict(), {"gpu": "0"})
        journal.append_progress(trial.trial_id, {**REPORT, "step": 1})
        journal.finish(trial.trial_id, [point(train_s=5.0)])
    monkeypatch.setattr(LocalFolder, "read", counted)
    session = Session.open(sweep, sweep.sweep_id, journal, mend=True)  # as orchestrator.running.run does
    check_identity(sweep.sweep_id, session.study.trials, journal, {})
    assert session.has_more()
    assert len(session.left()) == 1
    forget_failures(journal, session.study.trials)
    assert len(session.ended()) == 3
    assert session.study.next() == session.study.trials[3]
    assert reads["ended.json"] <= 7 * len(TRIALS)
    assert reads["trial.json"] <= 4 * len(TRIALS)
    assert reads["progress.jsonl"] <= 2 * len(TRIALS)


def test_the_trials_of_a_plan_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(Journal(MemoryFolder()))
    monkeypatch.setattr(study, "trials_of", None)
    assert [trial.trial_id for trial in session.study.trials] == TRIALS
    assert len(session.left()) == len(session.study.sample) == len(TRIALS)
