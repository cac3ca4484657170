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
from trainers.loop.progress import report_steps

DOCUMENT: dict[str, Any] = {
    "task": "digits",
    "architecture": [{"name": "mlp", "hidden": [8]}, {"name": "mlp", "hidden": [4]}],
    "method": [{"name": "epr", "lam": [0.1, 1.0], "decoder": ["scalar", "dft"]}, "uncompressed"],
    "steps": 100,
    "seeds": 2,
    "search": "grid",
}


def took(**changes: Any) -> timing.Timing:
    """A training that takes nothing but what is given."""
    parts = {"begin_s": 0.0, "step_s": 0.0, "rate_s": 0.0, "validation_s": 0.0, "point_s": 0.0, "example_s": 0.0}
    return timing.Timing(**{**parts, "num_points": 1, **changes})


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores; a step takes a second for each hidden unit."""

    def measured(config: Any, *unused: Any, **ignored: Any) -> timing.Timing:
        if config.method.name == "uncompressed" and config.architecture.arguments["hidden"] == [4]:
            raise RuntimeError("it diverged")
        return took(step_s=float(config.architecture.arguments["hidden"][0]))

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


def test_of_many_kinds_those_are_measured_for_which_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a second; those that are measured are spread over all, in their order."""
    now_s = [0.0]

    def measured(config: Any, *unused: Any, **ignored: Any) -> timing.Timing:
        now_s[0] += 1.0
        return took(step_s=float(config.architecture.arguments["hidden"][0]))

    monkeypatch.setattr(timing, "measure", measured)
    monkeypatch.setattr("time.process_time", lambda: now_s[0])
    monkeypatch.setattr(estimates, "_BUDGET_S", 4.0)
    widths = range(5, 37)
    found = estimated(architecture=[{"name": "mlp", "hidden": [width]} for width in widths], method="uncompressed")
    assert [kind.example.architecture.arguments["hidden"] for kind in found.kinds] == [[5], [9], [13], [21], [29]]
    assert (found.num_kinds, found.is_whole, found.factor) == (32, False, 3.0)
    assert found.train_h == pytest.approx(100 * 2 * 32 * (5 + 9 + 13 + 21 + 29) / 5 / 3600)


def test_where_all_is_measured_as_it_will_be_the_estimate_is_surer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (estimated().is_whole, estimated().factor) == (True, 2.0)
    monkeypatch.setattr(timing, "measure", lambda *unused, **ignored: took(step_s=1.0, is_extrapolated=True))
    assert (estimated().is_whole, estimated().factor) == (False, 3.0)


def test_what_fails_when_it_is_measured_is_rehearsed_and_refused_where_that_fails_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rehearsed: list[Any] = []

    def refuse(config: Any, task: Any) -> None:
        rehearsed.append(config)
        raise ValueError("no file could hold it")

    monkeypatch.setattr("trainers.rehearsal.rehearse", refuse)
    with pytest.raises(ValueError, match="no file could hold it"):
        estimated()
    (config,) = rehearsed
    assert (config.method.name, config.architecture.arguments["hidden"]) == ("uncompressed", [4])


def test_points_and_examples_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits have 300 examples for validation and 400 for the test; a training of 100 steps reports eleven times."""
    monkeypatch.setattr(
        timing, "measure", lambda *unused, **ignored: took(num_points=3, point_s=5.0, validation_s=1.0, example_s=0.5)
    )
    found = estimated(architecture={"name": "mlp", "hidden": [8]}, method="uncompressed", seeds=1)
    assert found.kinds[0].trial_s == 3 * (5.0 + 0.5 * 700) + 300 * len(report_steps(found.kinds[0].example, 1097))


def test_what_takes_no_step_says_nothing_of_what_trains() -> None:
    found = estimated(architecture={"name": "mlp", "hidden": [8]}, method="uncompressed", seeds=1, steps=[0, 100, 300])
    assert [(kind.example.steps, kind.num_trials) for kind in found.kinds] == [(0, 1), (100, 2)]
    assert found.train_h == pytest.approx(8 * 400 / 3600)


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
    assert failures == {"it wants a GPU, and torch sees none here; sweep tries it before it starts"}
    assert found.train_h == pytest.approx(2 * 800 / 3600)


def test_methods_on_one_network_share_what_its_evaluation_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []

    def measured(config: Any, *unused: Any, example_s: float | None, **ignored: Any) -> timing.Timing:
        given.append(example_s)
        return took(example_s=float(config.architecture.arguments["hidden"][0]))

    monkeypatch.setattr(timing, "measure", measured)
    estimated(method=["ecq", "uncompressed"], resources={"where": [{"method": "uncompressed", "cpu": 2}]})
    assert given == [None] * 4, "with more threads it takes another time"
    given.clear()
    estimated(method=["ecq", "uncompressed"])
    assert sorted(map(str, given)) == ["4.0", "8.0", "None", "None"]
