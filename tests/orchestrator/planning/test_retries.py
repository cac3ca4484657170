"""What is tried again, and with how much."""

from __future__ import annotations

import pytest

from orchestrator.planning.retries import MAX_RESTARTS, can_have_more, forget_failures, with_more_memory
from orchestrator.planning.study import plan
from orchestrator.storage.folder import MemoryFolder
from orchestrator.storage.journal import DIVERGED, OUT_OF_MEMORY, Ended, Journal, Outcome
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.resources import TrialResources
from tests.points import point

STARVED = Ended(outcome=Outcome.FAILED, reason=f"{OUT_OF_MEMORY}tried to allocate 2 GiB")


@pytest.mark.parametrize(("gpu", "more"), [(0.25, 0.5), (0.5, 1.0), (0.75, 1.0)])
def test_a_trial_that_found_too_little_memory_is_tried_with_twice_its_part_of_a_gpu(gpu: float, more: float) -> None:
    had = TrialResources(cpu=2, gpu=gpu, memory="2 GB", time_s=60)
    assert with_more_memory(STARVED, had, planned=had) == TrialResources(cpu=2, gpu=more, memory="2 GB", time_s=60)


def test_it_is_tried_so_once() -> None:
    had, planned = TrialResources(gpu=0.5), TrialResources(gpu=0.25)
    assert not can_have_more(had, planned)
    assert with_more_memory(STARVED, had, planned) is None


@pytest.mark.parametrize("gpu", [0, 1])
def test_where_there_is_no_larger_part_it_has_failed(gpu: float) -> None:
    had = TrialResources(gpu=gpu)
    assert not can_have_more(had, had)
    assert with_more_memory(STARVED, had, had) is None


@pytest.mark.parametrize(
    "ended",
    [
        None,
        Ended(outcome=Outcome.FINISHED, points=(point(),)),
        Ended(outcome=Outcome.STOPPED, reason="it was last"),
        Ended(outcome=Outcome.FAILED, reason=f"{DIVERGED}the training loss became nan"),
        Ended(outcome=Outcome.FAILED, reason="the worker process died"),
    ],
)
def test_no_other_end_is_tried_again_at_once(ended: Ended | None) -> None:
    had = TrialResources(gpu=0.25)
    assert with_more_memory(ended, had, had) is None


def test_a_resumed_sweep_forgets_failures_and_nothing_else() -> None:
    sweep = Sweep.from_dict(
        {"task": "digits", "architecture": "mlp", "method": {"name": "epr", "lam": [0.1, 0.2, 0.3, 0.4]}}
    )
    trials, journal = plan(sweep), Journal(MemoryFolder())
    finished, stopped, failed, new = (trial.trial_id for trial in trials)
    for trial in trials[:3]:
        journal.begin(trial.trial_id, trial.config.to_dict(), {})
    journal.finish(finished, [point()])
    journal.stop(stopped, "it was last")
    journal.fail(failed, "it must")
    forget_failures(journal, trials)
    outcomes = [ended and ended.outcome for ended in map(journal.ended, (finished, stopped, failed, new))]
    assert outcomes == [Outcome.FINISHED, Outcome.STOPPED, None, None]
    assert journal.trial_ids() == [finished, stopped, failed], "what it was stays known"


def test_a_worker_that_dies_is_replaced_twice() -> None:
    assert MAX_RESTARTS == 2
