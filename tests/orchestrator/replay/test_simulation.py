"""Replay: the real searchers and schedulers, with trainings looked up in a recorded sweep."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from orchestrator.replay.recording import RecordedSweep
from orchestrator.replay.simulation import replay, whole_hypervolume
from orchestrator.search.searchers import SEARCHERS
from orchestrator.sweep.definition import Sweep


def with_(recorded: RecordedSweep, search: str, scheduler: Any = "none") -> Sweep:
    settings = {} if search == "grid" else {"num_trials": len(recorded.configurations)}
    return Sweep.from_dict({**recorded.sweep.to_dict(), "search": {"name": search, **settings}, "scheduler": scheduler})


@pytest.mark.parametrize("search", [name for name in SEARCHERS if name != "gp"])
def test_every_searcher_finds_the_whole_front_in_the_end(search: str, recorded: RecordedSweep) -> None:
    curve = replay(recorded, with_(recorded, search), search_seed=3, num_workers=2)
    assert len(curve.cost_s) == 50 + 1, "no training twice, and then the end"
    assert curve.cost_s[-1] == recorded.train_s == 500
    assert curve.hypervolume[-1] == pytest.approx(whole_hypervolume(recorded))
    assert replay(recorded, with_(recorded, search), search_seed=3, num_workers=2) == curve


def test_time_runs_as_it_was_recorded(recorded: RecordedSweep) -> None:
    one = replay(recorded, with_(recorded, "grid"), search_seed=0, num_workers=1)
    assert one.cost_s[:3] == [10.0, 20.0, 30.0]
    four = replay(recorded, with_(recorded, "grid"), search_seed=0, num_workers=4)
    assert four.cost_s[0] == 40.0, "the others had trained ten seconds too"
    assert one.at(9.9) == 0.0
    assert one.at(500) == one.hypervolume[-1]
    assert one.until(one.hypervolume[-1]) is not None
    assert one.until(2 * one.hypervolume[-1]) is None


def test_a_scheduler_saves_seconds_and_keeps_the_front(recorded: RecordedSweep) -> None:
    sweep = with_(recorded, "random", {"name": "mo_asha", "first": 0.1})
    curve = replay(recorded, sweep, search_seed=0, num_workers=2)
    assert curve.cost_s[-1] < 0.7 * recorded.train_s
    assert curve.hypervolume[-1] > 0.98 * whole_hypervolume(recorded)


def test_the_share_of_the_hypervolume_grows_to_the_whole_and_never_beyond(recorded: RecordedSweep) -> None:
    """Where the first seed is the lucky one, its points alone would cover more than the means of both."""
    lucky = {
        key: dataclasses.replace(
            trial,
            ended=dataclasses.replace(
                trial.ended,
                points=[dataclasses.replace(p, quality_val=p.quality_val - 0.02 * p.seed) for p in trial.ended.points],
            ),
        )
        for key, trial in recorded.trials.items()
    }
    known = dataclasses.replace(recorded, trials=lucky)
    whole = whole_hypervolume(known)
    for search in ("grid", "random", "tpe"):
        curve = replay(known, with_(known, search), search_seed=1, num_workers=1)
        assert curve.hypervolume == sorted(curve.hypervolume)
        assert curve.hypervolume[-1] == pytest.approx(whole)
