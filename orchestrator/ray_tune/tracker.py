"""The actor that logs to MLflow while trials run, on the node of the driver, beside a local tracking store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from orchestrator.storage.locations import open_journal
from orchestrator.tracking.tracker import Tracker

_LAST_WORDS_S = 10.0
"""How long a tracker may take for what workers sent last."""


class TrackerActor:
    """A tracker in a process of its own.

    It shares the processor with trials as an equal: where only idle time were left to it, very short trials would leave
    nearly all of its work to the end of the sweep. It may fall behind nevertheless: whatever it has not logged, the
    tracker at the end does.
    """

    def __init__(self, location: str, *, tracking_uri: str, sweep_id: str, name: str) -> None:
        """Open the journal at ``location``; the other arguments are ``Tracker``'s."""
        self._journal = open_journal(location)
        self._tracker = Tracker(self._journal, tracking_uri=tracking_uri, sweep_id=sweep_id, name=name)

    def sync(self, trial_id: str) -> None:
        """Bring one trial's runs up to what the journal has."""
        self._tracker.sync(trial_id)

    def sync_all(self) -> None:
        """Bring every trial up to date."""
        self._tracker.sync_all()

    def leave(self) -> None:
        """Remove this process's copy of the journal. The process is killed next, which removes nothing."""
        self._journal.close()


@contextlib.contextmanager
def tracking(location: str, *, tracking_uri: str, sweep_id: str, name: str) -> Iterator[Any]:
    """Run a tracker actor, and end it before anybody else tracks the sweep: two at once could make a run twice.

    Args:
        location: of the sweep's journal.
        tracking_uri: MLflow's address, after ``Store.prepare``.
        sweep_id: the sweep's id.
        name: name of the sweep and of its experiment.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor_class: Any = ray.remote(TrackerActor).options(num_cpus=0, scheduling_strategy=here)
    actor = actor_class.remote(location, tracking_uri=tracking_uri, sweep_id=sweep_id, name=name)
    try:
        yield actor
    finally:
        with contextlib.suppress(Exception):  # what it did not log, the next one does
            ray.get(actor.sync_all.remote(), timeout=_LAST_WORDS_S)
        with contextlib.suppress(Exception):
            ray.get(actor.leave.remote(), timeout=_LAST_WORDS_S)
        ray.kill(actor)
