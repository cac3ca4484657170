"""The tracker beside the trials: it keeps up with them, and is over before another begins; here without Ray."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.ray_tune import tracker as trackers
from orchestrator.ray_tune.tracker import TrackerActor, tracking
from orchestrator.running.place import Place
from orchestrator.storage.journal import Journal
from tests.orchestrator.trained import EPR, SWEEP, runs_of


def test_it_logs_what_the_journal_has_at_the_priority_of_trials(place: Place, trained: Journal) -> None:
    before = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
    place.store.prepare("small")
    actor = TrackerActor(trained.location, tracking_uri=place.tracking_uri, sweep_id=SWEEP.sweep_id, name="small")
    assert (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)) == before, "else it would fall behind"
    actor.sync(EPR)
    assert sorted(run.info.status for run in runs_of(place)) == ["FINISHED", "RUNNING"]
    actor.sync_all()
    assert sorted(run.info.status for run in runs_of(place)) == ["FINISHED", "FINISHED", "RUNNING"]


def test_leaving_closes_its_copy_of_the_journal(
    place: Place, trained: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(Journal, "close", lambda journal: closed.append(journal.location))
    place.store.prepare("small")
    actor = TrackerActor(trained.location, tracking_uri=place.tracking_uri, sweep_id=SWEEP.sweep_id, name="small")
    actor.leave()
    assert closed == [trained.location]


class FakeRay:
    """Notes what is asked of an actor, and of Ray."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
        self.asked: list[str] = []
        self._failing = failing
        self.made: dict[str, Any] = {}
        monkeypatch.setattr("ray.get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "0" * 56))
        monkeypatch.setattr("ray.remote", self._remote)
        monkeypatch.setattr("ray.get", self._get)
        monkeypatch.setattr("ray.kill", lambda actor: self.asked.append("kill"))

    def _remote(self, kind: type) -> Any:
        assert kind is trackers.TrackerActor
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=self._make(options)))

    def _make(self, options: dict[str, Any]) -> Callable[..., Any]:
        def make(location: str, **settings: Any) -> Any:
            self.made = {**options, "location": location, **settings}
            verbs = {verb: SimpleNamespace(remote=lambda verb=verb: verb) for verb in ("sync_all", "leave")}
            return SimpleNamespace(**verbs)

        return make

    def _get(self, verb: str, *, timeout: float) -> None:
        assert timeout <= 10
        self.asked.append(verb)
        if verb == self._failing:
            raise RuntimeError("the actor died")


@pytest.mark.parametrize("failing", ["", "sync_all", "leave"])
def test_it_is_over_whatever_happens_before_another_tracker_begins(
    failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = FakeRay(monkeypatch, failing)

    def run_trials() -> None:
        with tracking("there", tracking_uri="u", sweep_id="s-1", name="s"):
            assert ray.asked == []
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trials()
    assert ray.asked == ["sync_all", "leave", "kill"]
    assert (ray.made["location"], ray.made["tracking_uri"], ray.made["num_cpus"]) == ("there", "u", 0)
    assert ray.made["scheduling_strategy"].node_id == "0" * 56, "beside the driver, where a local store is"
