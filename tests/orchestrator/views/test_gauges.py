"""The metrics of a sweep on a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.views.gauges import Gauges
from tests.orchestrator.views.samples import board_of_four, end, failed, finished


class FakeGauge:
    """Ray's gauge, without Ray; ``values`` has the last value by the gauge's name and its tags."""

    values: dict[tuple[str, ...], float]

    def __init__(self, name: str, description: str, *, tag_keys: tuple[str, ...]) -> None:
        self._name, self._tag_keys = name, tag_keys

    def set_default_tags(self, tags: dict[str, str]) -> None:
        self._tags = tags

    def set(self, value: float, tags: dict[str, str] | None = None) -> None:
        own = {**self._tags, **(tags or {})}
        self.values[self._name, *(own[key] for key in self._tag_keys)] = value


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("ray.util.metrics.Gauge", FakeGauge)
    monkeypatch.setattr(FakeGauge, "values", {}, raising=False)
    return FakeGauge.values


def test_gauges_follow_the_board(values: dict[tuple[str, ...], float]) -> None:
    board = board_of_four()
    gauges = Gauges()
    states = ("finished", "failed", "stopped", "running", "waiting")

    def counts() -> list[float]:
        return [values["ratefront_trials", "digits-1", state] for state in states]

    with gauges.shown(board):
        assert counts() == [1, 0, 0, 1, 2]
        assert values["ratefront_hypervolume", "digits-1"] == board.hypervolume
        gauges.show(end(board, 1, finished(1)), board)
        gauges.show(end(board, 2, failed("it broke")), board)
        assert counts() == [2, 1, 0, 0, 1]
        board.totals = replace(board.totals, num_skipped=1, train_s=7.0)
    assert counts() == [2, 1, 1, 0, 0]
    assert values["ratefront_train_seconds", "digits-1"] == 7.0
