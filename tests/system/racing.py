"""Several processes that prepare tracking stores at the same moment, round after round."""

from __future__ import annotations

import multiprocessing
import traceback
from multiprocessing.synchronize import Barrier
from typing import Any

from orchestrator.tracking.store import Store

NUM_PROCESSES = 3


def prepared_by_all(rounds: list[tuple[str, str]]) -> list[str]:
    """Prepare a store for an experiment in each round, (tracking URI, name); returns the errors of all processes."""
    spawn = multiprocessing.get_context("spawn")
    barrier, errors = spawn.Barrier(NUM_PROCESSES), spawn.Queue()
    processes = [spawn.Process(target=_prepare, args=(rounds, barrier, errors)) for _ in range(NUM_PROCESSES)]
    for process in processes:
        process.start()
    found = [errors.get(timeout=600) for _ in processes]
    for process in processes:
        process.join(timeout=600)
    return [error for some in found for error in some]


def _prepare(rounds: list[tuple[str, str]], barrier: Barrier, errors: Any) -> None:
    found: list[str] = []
    for uri, name in rounds:
        barrier.wait(timeout=600)
        try:
            store = Store(tracking_uri=uri)
            store.check()
            store.prepare(name)
        except Exception:
            found.append(traceback.format_exc())
    errors.put(found)
