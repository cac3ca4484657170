"""What a sweep will take."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.planning import estimate as estimates
from orchestrator.planning.study import Study
from orchestrator.storage.folder import MemoryFolder
from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from trainers import timing

DOCUMENT: dict[str, Any] = {
    "task": "digits",
    "architecture": [{"name": "mlp", "hidden": [8]}, {"name": "mlp", "hidden": [4]}],
    "method": [{"name": "epr", "lam": [0.1, 1.0], "decoder": ["scalar", "dft"]}, "uncompressed"],
    "steps": 100,
    "seeds": 2,
    "search": "grid",
}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores; a step takes a second for each hidden unit."""

    def measured(config: Any, *unused: Any, **ignored: Any) -> timing.Timing:
        if config.method.name == "uncompressed" and config.architecture.arguments["hidden"] == [4]:
            raise RuntimeError("it diverged")
        return timing.Timing(step_s=float(config.architecture.arguments["hidden"][0]), example_s=0.0, fixed_s=0.0)

    monkeypatch.setattr(timing, "measure", measured)
    monkeypatch.setattr(estimates, "this_machine", lambda num_cpus: {"CPU": num_cpus, "GPU": 1, "memory": 8e9})


def estimated(**changes: Any) -> estimates.Estimate:
    sweep = Sweep.from_dict({**DOCUMENT, **changes})
    study = Study(sweep, Journal(MemoryFolder()))
    return estimates.estimate(sweep, study.sample, study.most_trials, num_cpus=4)


def test_trials_that_cost_alike_are_measured_once() -> None:
    found = estimated()
    labels = [(kind.example.architecture.arguments["hidden"], kind.method, kind.num_trials) for kind in found.kinds]
    assert labels == [
        ([8], 'epr(decoder="scalar")', 4),
        ([8], 'epr(decoder="dft")', 4),
        ([8], "uncompressed", 2),
        ([4], 'epr(decoder="scalar")', 4),
        ([4], 'epr(decoder="dft")', 4),
        ([4], "uncompressed", 2),
    ]


def test_cores_are_kept_busy_and_what_failed_is_left_out() -> None:
    found = estimated()
    total_s = 100 * (10 * 8 + 8 * 4)
    assert found.train_h == pytest.approx(total_s / 3600)
    assert found.hours == pytest.approx(total_s / 4 / 3600)
    assert found.at_once == 4
    assert [kind.failure for kind in found.kinds] == [""] * 5 + ["RuntimeError: it diverged"]


def test_more_cores_for_each_trial_leave_fewer_at_once() -> None:
    found = estimated(resources={"cpu": 1, "where": [{"architecture": {"name": "mlp", "hidden": [8]}, "cpu": 4}]})
    assert found.hours == pytest.approx(100 * (10 * 8 + 8 * 4 / 4) / 3600)
    assert found.at_once == 1


@pytest.mark.parametrize(
    ("resources", "at_once"), [({"cpu": 3}, 1), ({"memory": "3 GB"}, 2), ({"cpu": 1, "memory": "1 MB"}, 4)]
)
def test_trials_are_whole(resources: dict[str, Any], at_once: int) -> None:
    found = estimated(resources=resources)
    assert found.at_once == at_once
    assert found.hours == pytest.approx(found.train_h / at_once)


def test_of_many_kinds_some_are_measured() -> None:
    found = estimated(
        architecture=[{"name": "mlp", "hidden": [width]} for width in range(5, 45)], method="uncompressed"
    )
    assert (found.num_kinds, len(found.kinds)) == (40, 14)
    assert found.train_h == pytest.approx(100 * 2 * 40 * sum(range(5, 45, 3)) / 14 / 3600, rel=0.05)


@pytest.mark.parametrize(
    ("budget", "limit", "share"),
    [
        ({"train_s": 5600}, "budget.train_s", 0.5),
        ({"wall_s": 700}, "budget.wall_s", 0.25),
        ({"wall_s": 700, "train_s": 5600}, "budget.wall_s", 0.25),
        ({"wall_s": 70_000}, "", 1),
    ],
)
def test_a_budget_may_end_it_sooner(budget: dict[str, float], limit: str, share: float) -> None:
    found, whole = estimated(budget=budget), estimated()
    assert found.budget == limit
    assert found.hours == pytest.approx(share * whole.hours)


def test_nothing_is_faster_than_its_longest_trial() -> None:
    found = estimated(architecture={"name": "mlp", "hidden": [8]}, method="uncompressed", seeds=1)
    assert found.hours == pytest.approx(800 / 3600)
    assert found.at_once == 1


def test_of_an_adaptive_search_the_ends_of_its_ranges_stand_for_all() -> None:
    found = estimated(
        architecture={"name": "mlp", "hidden": [8]},
        method={"name": "epr", "lam": {"loguniform": [0.1, 1.0]}},
        search={"name": "tpe", "num_trials": 30},
    )
    assert found.num_trials == 60
    assert found.train_h == pytest.approx(60 * 800 / 3600)


def test_what_wants_a_gpu_that_is_not_here_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    found = estimated(resources={"where": [{"method": "epr", "gpu": 1}]})
    failures = {kind.failure for kind in found.kinds if kind.method.startswith("epr")}
    assert failures == {"it wants a GPU, and torch sees none here"}
    assert found.train_h == pytest.approx(2 * 800 / 3600)
