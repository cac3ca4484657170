"""Schedulers stop trainings that promise nothing, and no others."""

from __future__ import annotations

import dataclasses
import itertools
import random
from typing import Any

import pytest

from orchestrator.search.schedulers import SCHEDULERS
from orchestrator.search.schedulers.base import AbstractJudge, Contestant, Observation, RateDistortion
from orchestrator.search.schedulers.mo_asha import MoAsha, dominates, ranking
from orchestrator.search.schedulers.scalarised import Asha, Median
from orchestrator.search.schedulers.verdicts import Verdicts
from trainers.config import TrialConfig


def contestant(name: str, *, knob: float | None = 1.0, peers: tuple[str, ...] = ("digits", "epr")) -> Contestant:
    return Contestant(config_hash=name, peers=peers, knob=knob)


def observed(log_rate: float, quality: float, *, fraction: float = 0.1, phase: str = "train") -> Observation:
    return Observation(phase=phase, fraction=fraction, estimate=RateDistortion(log_rate, -quality))


def show(judge: AbstractJudge, estimates: list[tuple[float, float]], **changes: Any) -> list[str | None]:
    return [
        judge.stops(contestant(str(index), **changes), observed(*estimate)) for index, estimate in enumerate(estimates)
    ]


GOOD = [(3.0, 0.9), (3.2, 0.92), (2.8, 0.85), (3.1, 0.91)]


def test_what_is_dominated_and_low_in_rank_is_stopped() -> None:
    *passed, reason = show(MoAsha().start(), [*GOOD, (3.5, 0.5)])
    assert passed == [None] * 4
    assert reason == "at 10% of its steps it was 5 of 5, and 4 had a lower rate and a better quality"


def test_what_nobody_dominates_goes_on_however_many_there_are() -> None:
    front = [(index / 10, index / 100) for index in range(50)]
    random.Random(0).shuffle(front)
    assert show(MoAsha().start(), front) == [None] * 50


def test_nothing_is_stopped_before_there_is_anything_to_compare() -> None:
    assert show(MoAsha(reduction=3).start(), [(1.0, 0.9), (2.0, 0.5)]) == [None, None]
    assert show(Asha(reduction=3).start(), [(1.0, 0.9), (2.0, 0.5)]) == [None, None]
    assert show(Median(num_needed=2).start(), [(1.0, 0.9)] * 2) == [None, None]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"knob": 4.1},
        {"knob": 0.24},
        {"knob": None},
        {"peers": ("digits", "ptq")},
        {"peers": ("mnist", "epr")},
    ],
)
def test_only_peers_with_a_near_knob_are_compared(elsewhere: dict[str, Any]) -> None:
    judge = MoAsha(reach=4.0).start()
    show(judge, GOOD)
    assert judge.stops(contestant("bad", **elsewhere), observed(9.0, 0.1)) is None
    assert judge.stops(contestant("worse", knob=3.9), observed(9.0, 0.1)) is not None


def test_only_reports_of_one_phase_at_one_fraction_are_compared() -> None:
    judge = MoAsha().start()
    show(judge, GOOD)
    assert judge.stops(contestant("later"), observed(9.0, 0.1, fraction=0.2)) is None
    assert judge.stops(contestant("phase"), observed(9.0, 0.1, phase="tune")) is None
    assert judge.stops(contestant("same"), observed(9.0, 0.1)) is not None


def test_a_configuration_is_judged_once_at_each_rung() -> None:
    judge = MoAsha(first=0.1, reduction=3).start()
    for index, estimate in enumerate(GOOD):
        for fraction in (0.1, 0.3):
            assert judge.stops(contestant(str(index)), observed(*estimate, fraction=fraction)) is None
    late = contestant("late")
    assert judge.stops(late, observed(2.0, 0.9, fraction=0.1)) is None
    assert judge.stops(late, observed(9.0, 0.1, fraction=0.2)) is None, "no rung"
    assert judge.stops(late, observed(9.0, 0.1, fraction=0.3)) == (
        "at 30% of its steps it was 5 of 5, and 4 had a lower rate and a better quality"
    )
    assert judge.stops(late, observed(9.0, 0.1, fraction=0.9)) is None, "too late to save much"


def test_the_best_share_goes_on_under_one_objective() -> None:
    scores = [0.9, 0.8, 0.7, 0.95, 0.6, 0.93]
    found = show(Asha(reduction=3, price=0.0).start(), [(3.0, score) for score in scores])
    assert [reason is None for reason in found] == [True, True, False, True, False, True]
    assert found[2] == "at 10% of its steps it was 3 of 3"
    dear = show(Asha(reduction=3, price=1.0).start(), [(3.0, 0.9), (3.0, 0.9), (3.5, 0.95)])
    assert dear[2] is not None, "ten times the rate must bring more"


def test_what_is_worse_than_the_median_is_stopped() -> None:
    found = show(Median(num_needed=3, price=0.0).start(), [(3.0, score) for score in (0.9, 0.8, 0.7, 0.79, 0.81)])
    assert found[:3] == [None, None, None]
    assert found[3] == "at 10% of its steps it was worse than the median of 3"
    assert found[4] is None


def test_none_stops_nothing() -> None:
    assert show(SCHEDULERS["none"]().start(), [*GOOD, (99.0, 0.0)]) == [None] * 5


def test_a_ranking_goes_front_by_front_and_spreads_within_each() -> None:
    line = [RateDistortion(index / 10, -index / 10) for index in range(11)]
    ranked = ranking([*line, RateDistortion(0.5, 0.0), RateDistortion(2.0, 2.0)])
    assert ranked[:3] == [0, 10, 5], "the ends, then the middle"
    assert ranked[-2:] == [11, 12]


@pytest.mark.parametrize("seed", range(5))
def test_a_ranking_never_puts_what_is_dominated_first(seed: int) -> None:
    generator = random.Random(seed)
    estimates = [RateDistortion(generator.choice([1.0, 2.0, 3.0]), generator.random()) for _ in range(30)]
    ranked = ranking(estimates)
    assert sorted(ranked) == list(range(30))
    for first, second in itertools.combinations(ranked, 2):
        assert not dominates(estimates[second], estimates[first])


def test_a_report_without_a_meaningful_rate_is_not_judged() -> None:
    progress = {
        "step": 5, "total_steps": 50, "phase": "search", "rate_bits": 1000.0, "rate_comparable": True,
        "quality_val": 0.9, "maximise": True,
    }  # fmt: skip
    assert Observation.of(progress) == Observation(phase="search", fraction=0.1, estimate=RateDistortion(3.0, -0.9))
    assert Observation.of({**progress, "maximise": False}) == dataclasses.replace(observed(3.0, -0.9), phase="search")
    for change in ({"is_judged": False}, {"rate_comparable": False}, {"quality_val": float("nan")}, {"rate_bits": 0.0}):
        assert Observation.of({**progress, **change}) is None


@pytest.mark.parametrize(("knob", "expected"), [(0.5, 0.5), (2, 2.0), (0.0, None), ("x", None), (True, None)])
def test_a_knob_is_a_positive_number_or_nothing(knob: Any, expected: float | None) -> None:
    given = {"task": "digits", "architecture": "mlp", "method": {"name": "epr", "lam": knob}, "steps": 1}
    assert Contestant.of(TrialConfig.from_dict(given), "lam").knob == expected
    assert Contestant.of(TrialConfig.from_dict(given), None).knob is None


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mo_asha", {"first": 0.4}, "first is 0.4: wanted at most 1 / reduction = 0.333"),
        ("mo_asha", {"reduction": 1}, "reduction is 1: wanted a whole number of at least 2"),
        ("mo_asha", {"reach": 0.5}, "reach is 0.5: wanted a number of at least 1"),
        ("asha", {"first": 0}, "first is 0: wanted a number above 0"),
        ("asha", {"price": -1}, "price is -1: wanted a number of at least 0"),
        ("median", {"num_rungs": 0}, "num_rungs is 0: wanted a whole number of at least 1"),
        ("median", {"num_needed": 0}, "num_needed is 0: wanted a whole number of at least 1"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        SCHEDULERS[name](**settings)
    assert str(error.value) == message


def test_trainings_on_other_files_are_never_compared() -> None:
    verdicts = Verdicts(Asha(reduction=2), 0)
    progress = {"phase": "train", "step": 10, "total_steps": 100, "rate_comparable": True, "maximise": True}

    def shown(lam: float, file: str, quality: float) -> str | None:
        task = {"name": "image", "file": file}
        rest = {"architecture": "siren", "method": {"name": "epr", "lam": lam}, "steps": 100}
        config = TrialConfig.from_dict({"task": task, **rest, "each": {"file": ["a.png", "b.png"]}})
        return verdicts.reason_to_stop(config, {**progress, "rate_bits": 1000.0, "quality_val": quality})

    assert [shown(lam, "a.png", 30.0) for lam in (1.0, 2.0, 3.0)] == [None] * 3
    assert shown(4.0, "b.png", 20.0) is None, "a hard file is no reason"
    assert shown(5.0, "a.png", 20.0) == "at 10% of its steps it was 4 of 4"
    assert shown(5.0, "b.png", 40.0) == "its first seed was stopped"
