"""The sweep's own metrics beside Ray's, for Prometheus: see infra/observability."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from orchestrator.storage.journal import Outcome
from orchestrator.views.base import AbstractView
from orchestrator.views.board import Board
from orchestrator.views.events import AbstractEvent


class Gauges(AbstractView):
    """For a cluster, whose nodes hand metrics on while this process lives; Ray prefixes their names with ``ray_``."""

    @contextlib.contextmanager
    def shown(self, board: Board) -> Iterator[None]:
        from ray.util.metrics import Gauge

        tags = {"sweep_id": board.sweep_id}
        self._trials = Gauge("ratefront_trials", "Trials by state.", tag_keys=("sweep_id", "state"))
        self._hypervolume = Gauge("ratefront_hypervolume", "Of the frontier so far.", tag_keys=("sweep_id",))
        self._train = Gauge("ratefront_train_seconds", "Of training so far, of all trials.", tag_keys=("sweep_id",))
        for gauge in (self._trials, self._hypervolume, self._train):
            gauge.set_default_tags(tags)
        self._set(board)
        yield
        self._set(board)

    def show(self, event: AbstractEvent, board: Board) -> None:
        self._set(board)

    def _set(self, board: Board) -> None:
        running = len(board.running)
        counts = {outcome.value: board.num(outcome) for outcome in Outcome}
        counts |= {"running": running, "waiting": max(board.num_trials - board.num_ended - running, 0)}
        for state, count in counts.items():
            self._trials.set(count, tags={"state": state})
        if board.hypervolume is not None:
            self._hypervolume.set(board.hypervolume)
        self._train.set(board.totals.train_s)
