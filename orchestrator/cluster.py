"""Ray itself: started here or joined, what its nodes must see, and the actor that follows the trials."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from analysis.units import format_size
from orchestrator.journal import Journal
from orchestrator.storage import open_journal
from orchestrator.sweep import Sweep, SweepError, Trial
from orchestrator.tracking import Tracker

_LAST_WORDS_S = 10.0
"""How long a tracker may take for what workers sent last."""


@contextlib.contextmanager
def joined(address: str | None) -> Iterator[None]:
    """A running Ray that says nothing of its own; one that was started here is stopped.

    It would print of each worker that died to ``sys.stdout``: who has something to say holds on to that stream before.
    """
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # its CSV and TensorBoard files cost half the throughput
    # its snapshots take longer with each trial, and the journal makes them needless
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = str(10**6)
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray

        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        for name in ("ray", "ray.tune"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            with (
                Path(os.devnull).open("w") as nowhere,
                contextlib.redirect_stdout(nowhere),
                _terminated_as_interrupted(),
            ):
                yield
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, as schedulers send it, ends a sweep as Ctrl-C does; Ray's own handler would just leave."""
    if threading.current_thread() is not threading.main_thread():  # signals are not its business
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)  # while trials run it is Tune's
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_nodes(sweep: Sweep, trials: Iterable[Trial], journal: Journal, *, is_local: bool) -> None:
    """Refuse a sweep that could not run, or would lose its results, on the nodes that there are.

    Raises:
        SweepError: in one line.
    """
    if is_local:
        _check_fits(sweep, trials)
    else:
        _check_shared(journal.location)


def _check_fits(sweep: Sweep, trials: Iterable[Trial]) -> None:
    """A machine that will not grow must have what each trial wants, or that one would wait for ever.

    Raises:
        SweepError: it has not.
    """
    import ray

    has: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    shares = {str(share): share.for_ray() for share in (sweep.resources.of(trial.config) for trial in trials)}
    for wanted in shares.values():
        for name, amount in wanted.items():
            if amount > has.get(name, 0.0):
                there = format_size(has[name]) if name == "memory" else f"{has.get(name, 0.0):g}"
                said = format_size(amount) if name == "memory" else f"{amount:g}"
                raise SweepError(f"resources.{name.lower()} is {said} and this machine has {there}: give trials less")


def _check_shared(location: str) -> None:
    """Every node of the cluster must see the sweep's folder, or its results would be lost.

    Raises:
        SweepError: one does not.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def why_not(location: str) -> str:
        try:
            journal = open_journal(location)
            if not journal.file("lock").is_file():
                return "it is not there"
            journal.check_writable()
            return ""
        except OSError as error:
            return str(error)

    remote: Any = ray.remote(num_cpus=0)(why_not)
    nodes: Any = ray.nodes()  # type: ignore[no-untyped-call]
    for node in (node for node in nodes if node["Alive"]):
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        reason = ray.get(remote.options(scheduling_strategy=there).remote(location))
        if reason:
            raise SweepError(
                f"node {node['NodeManagerAddress']} does not see {location} ({reason}): "
                "give --storage a folder that all nodes of the cluster share, or a bucket that they may use"
            )


def start_tracker(sweep: Sweep, sweep_id: str, journal: Journal, tracking_uri: str) -> Any:
    """An actor on this node, beside a local store, that follows the trials while they run."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(_Behind).options(num_cpus=0, scheduling_strategy=here)
    return actor.remote(tracking_uri=tracking_uri, sweep_id=sweep_id, name=sweep.name, directory=journal.location)


class _Behind(Tracker):
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
