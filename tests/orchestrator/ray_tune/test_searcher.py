"""What Ray is handed, and what becomes of workers that died and trials that found too little memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from orchestrator.planning.ledger import Ledger
from orchestrator.planning.study import Study
from orchestrator.ray_tune.searcher import StudySearcher
from orchestrator.ray_tune.stopper import FullDiskStopper
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import FULL, OUT_OF_MEMORY, Ended, Journal, Outcome
from orchestrator.sweep.budget import Budget
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.resources import Resources
from tests.full_disk import files_of_at_most

SWEEP = Sweep.from_dict(
    {"task": "digits", "architecture": "mlp", "method": {"name": "epr", "lam": [0.1, 1.0]}, "search": "grid"}
)
STARVED = Ended(outcome=Outcome.FAILED, reason=f"{OUT_OF_MEMORY}tried to allocate 2 GiB")


def searcher_in(folder: Path, gpu: float, **budget: float) -> tuple[StudySearcher, Journal]:
    journal = Journal(LocalFolder(folder))
    return StudySearcher(Study(SWEEP, journal), journal, Resources(gpu=gpu), Ledger(Budget(**budget))), journal


def suggested(searcher: StudySearcher, ray_id: str) -> dict[str, Any]:
    found = searcher.suggest(ray_id)
    assert isinstance(found, dict)
    return found


def test_each_trial_is_handed_out_once_with_its_share(tmp_path: Path) -> None:
    searcher, _ = searcher_in(tmp_path, 0.25)
    both = [suggested(searcher, str(number)) for number in range(2)]
    assert [one["trial_id"] for one in both] == ["0000-epr-s0", "0001-epr-s0"]
    assert [one["resources"]["gpu"] for one in both] == [0.25, 0.25]
    assert both[1]["config"]["method"]["lam"] == 1.0


def test_a_worker_that_died_is_a_failure(tmp_path: Path) -> None:
    searcher, journal = searcher_in(tmp_path, 0)
    suggested(searcher, "a")
    searcher.on_trial_complete("a", error=True)
    ended = journal.ended("0000-epr-s0")
    assert ended is not None
    assert (ended.outcome, ended.reason) == (
        Outcome.FAILED,
        "the worker process died, or its node does not see the sweep's folder",
    )


@pytest.mark.parametrize(("gpu", "more"), [(0.25, 0.5), (0.75, 1.0)])
def test_a_starved_trial_is_tried_once_more_with_a_larger_share(gpu: float, more: float, tmp_path: Path) -> None:
    searcher, journal = searcher_in(tmp_path, gpu)
    suggested(searcher, "a")
    suggested(searcher, "b")
    assert searcher.suggest("c") is None, "there may be something to try again"
    journal.record("0000-epr-s0", STARVED)
    searcher.on_trial_complete("a", result={})
    assert journal.ended("0000-epr-s0") is None
    again = suggested(searcher, "c")
    assert (again["trial_id"], again["resources"]["gpu"]) == ("0000-epr-s0", more)
    journal.record("0000-epr-s0", STARVED)
    searcher.on_trial_complete("c", result={})
    assert journal.ended("0000-epr-s0") == STARVED
    journal.fail("0001-epr-s0", "something else")
    searcher.on_trial_complete("b", result={})
    assert searcher.suggest("d") == Searcher.FINISHED


@pytest.mark.parametrize("gpu", [0, 1])
def test_where_there_is_no_more_a_starved_trial_failed(gpu: float, tmp_path: Path) -> None:
    searcher, journal = searcher_in(tmp_path, gpu)
    suggested(searcher, "a")
    suggested(searcher, "b")
    journal.record("0000-epr-s0", STARVED)
    searcher.on_trial_complete("a", result={})
    assert journal.ended("0000-epr-s0") == STARVED
    assert searcher.suggest("c") == Searcher.FINISHED


@pytest.mark.parametrize(
    ("budget", "train_s", "limit"),
    [({"train_s": 10.0}, 10.0, "train_s is 10"), ({"gpu_h": 0.01}, 72.5, "gpu_h is 0.01")],
)
def test_where_the_budget_is_spent_nothing_more_starts(
    budget: dict[str, float], train_s: float, limit: str, tmp_path: Path
) -> None:
    journal, ledger = Journal(LocalFolder(tmp_path)), Ledger(Budget(**budget))
    searcher = StudySearcher(Study(SWEEP, journal), journal, Resources(gpu=0.5), ledger)
    suggested(searcher, "a")
    searcher.on_trial_result("a", {"train_s": 0.9 * train_s})
    assert ledger.spent() == ""
    searcher.on_trial_result("a", {"train_s": train_s})
    assert ledger.spent().startswith(f"budget.{limit}, and ")
    assert searcher.suggest("b") is None, "the first may find too little memory"
    searcher.on_trial_complete("a", result={})
    assert searcher.suggest("b") == Searcher.FINISHED


def test_a_trial_that_is_tried_again_counts_once(tmp_path: Path) -> None:
    searcher, journal = searcher_in(tmp_path, 0.25, trials=1)
    suggested(searcher, "a")
    journal.record("0000-epr-s0", STARVED)
    searcher.on_trial_complete("a", result={})
    assert suggested(searcher, "b")["trial_id"] == "0000-epr-s0"
    searcher.on_trial_complete("b", result={})
    assert searcher.suggest("c") == Searcher.FINISHED


def test_resources_follow_the_trial(tmp_path: Path) -> None:
    entries = ({"method": {"name": "epr", "lam": 1.0}, "cpu": 2}, {"architecture": "mlp", "gpu": 0.5})
    resources = Resources.model_validate({"gpu": 0.25, "memory": "2 GB", "where": entries})
    journal = Journal(LocalFolder(tmp_path))
    searcher = StudySearcher(Study(SWEEP, journal), journal, resources, Ledger(Budget()))
    both = [suggested(searcher, str(number))["resources"] for number in range(2)]
    assert [(one["cpu"], one["gpu"], one["memory"]) for one in both] == [(1, 0.5, 2 * 10**9), (2, 0.5, 2 * 10**9)]
    assert Resources.model_validate(resources.to_dict()) == resources


def test_once_the_disk_is_full_nothing_more_starts(tmp_path: Path) -> None:
    journal, ledger = Journal(LocalFolder(tmp_path)), Ledger(Budget())
    searcher = StudySearcher(Study(SWEEP, journal), journal, Resources(), ledger)
    stopper = FullDiskStopper(ledger)
    suggested(searcher, "a")
    journal.begin("0000-epr-s0", {}, {})
    journal.fail("0000-epr-s0", f"{FULL}no space left on device: x")
    assert not stopper.stop_all()
    searcher.on_trial_complete("a", result={})
    assert ledger.full == "no space left on device: x"
    assert stopper.stop_all()
    assert searcher.suggest("b") == Searcher.FINISHED


@pytest.mark.parametrize("error", [False, True])
def test_a_trial_whose_record_finds_no_space_ends_the_sweep_in_order(error: bool, tmp_path: Path) -> None:
    journal, ledger = Journal(LocalFolder(tmp_path)), Ledger(Budget())
    searcher = StudySearcher(Study(SWEEP, journal), journal, Resources(), ledger)
    suggested(searcher, "a")
    with files_of_at_most(10):
        searcher.on_trial_complete("a", error=error)
    assert ledger.full.startswith("file too large for ")
    assert journal.ended("0000-epr-s0") is None
    assert searcher.suggest("b") == Searcher.FINISHED


def test_a_trial_without_a_record_failed_where_there_is_space_again(tmp_path: Path) -> None:
    searcher, journal = searcher_in(tmp_path, 0)
    suggested(searcher, "a")
    searcher.on_trial_complete("a", result={})
    ended = journal.ended("0000-epr-s0")
    assert ended is not None
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, "its worker had no space for the trial's record")
    assert isinstance(searcher.suggest("b"), dict)


def test_a_search_that_cannot_write_down_what_it_asked_ends_in_order(tmp_path: Path) -> None:
    changes = {"method": {"name": "epr", "lam": {"loguniform": [0.1, 1.0]}}, "search": {"name": "tpe", "num_trials": 3}}
    tpe = Sweep.from_dict({**SWEEP.to_dict(), **changes})
    journal, ledger = Journal(LocalFolder(tmp_path)), Ledger(Budget())
    searcher = StudySearcher(Study(tpe, journal), journal, Resources(), ledger)
    with files_of_at_most(10):
        assert searcher.suggest("a") == Searcher.FINISHED
    assert ledger.full.endswith("study.jsonl")
    assert journal.study() == []
