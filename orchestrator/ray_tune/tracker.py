"""The actor that logs to MLflow while trials run, beside the tracking store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from orchestrator.storage.journal import Journal
from orchestrator.sweep.definition import Sweep
from orchestrator.tracking.tracker import Tracker

_LAST_WORDS_S = 10.0
"""How long a tracker may take for what workers sent last."""


def start_tracker(sweep: Sweep, sweep_id: str, journal: Journal, tracking_uri: str) -> Any:
    """An actor on this node, beside a local store, that follows the trials while they run."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(TrackerActor).options(num_cpus=0, scheduling_strategy=here)
    return actor.remote(tracking_uri=tracking_uri, sweep_id=sweep_id, name=sweep.name, directory=journal.location)


class TrackerActor(Tracker):
    """A tracker that leaves the processor to trials: what it is behind by, it catches up with at the end."""

    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        if hasattr(os, "SCHED_IDLE"):  # Linux: a few per cent of a busy core, all of an idle one
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(19)

    def leave(self) -> None:
        """Before it is killed, which no copy of the journal would notice."""
        self._journal.close()


@contextlib.contextmanager
def drained(tracker: Any) -> Iterator[None]:
    """Two trackers at once could make a run twice: this one has ended before another begins."""
    import ray

    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # whatever it did not log, the next one does
            ray.get(tracker.sync_all.remote(), timeout=_LAST_WORDS_S)
        with contextlib.suppress(Exception):
            ray.get(tracker.leave.remote(), timeout=_LAST_WORDS_S)
        ray.kill(tracker)
