"""What nodes have: this machine's cores; before a sweep runs, enough of everything for a trial, and its folder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from analysis.units import format_size
from orchestrator.errors import SweepError
from orchestrator.storage.journal import FULL, Journal
from orchestrator.storage.locations import open_journal
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.trials import Trial
from trainers.coding.machine_code import compile_once
from trainers.full_disk import why_full

_ANSWER_S = 300.0
"""How long a node may take for its first worker, which loads what it needs from a disk that may be far away."""


def num_cpus() -> int:
    """The cores that Ray starts with on this machine; in a container, the container's share."""
    from ray._private.utils import get_num_cpus

    return int(get_num_cpus())


def check_nodes(sweep: Sweep, trials: Iterable[Trial], journal: Journal, *, is_local: bool) -> None:
    """Refuse a sweep that could not run, or would lose its results, on the nodes that there are; ready their coder.

    Args:
        sweep: its resources count.
        trials: some of each kind.
        journal: of the sweep, which this process holds.
        is_local: whether Ray was started here, so that no other node will come.

    Raises:
        SweepError: this machine has too little for a trial, or a node does not see the sweep's folder.
    """
    if is_local:
        _check_fits(sweep, trials)
        compile_once()
    else:
        _check_shared(journal.location)


def _check_fits(sweep: Sweep, trials: Iterable[Trial]) -> None:
    """Refuse a trial that wants more than this machine has: it would wait for ever.

    Raises:
        SweepError: there is one.
    """
    import ray

    has: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    granted = {str(one): one for one in (sweep.resources.of(trial.config) for trial in trials)}
    for one in granted.values():
        for name, amount in one.for_ray().items():
            if amount > has.get(name, 0.0):
                there = format_size(has[name]) if name == "memory" else f"{has.get(name, 0.0):g}"
                said = format_size(amount) if name == "memory" else f"{amount:g}"
                called = "cpu + resources.data_workers" if name == "CPU" and amount > one.cpu else name.lower()
                raise SweepError(f"resources.{called} is {said} and this machine has {there}: give trials less")


def _check_shared(location: str) -> None:
    """Refuse a cluster with a node that does not see the sweep's folder: its results would be lost.

    Raises:
        SweepError: there is such a node, or one that starts no worker, or the disk of the folder is full.
    """
    import ray
    from ray.exceptions import GetTimeoutError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def why_not(location: str) -> str:
        try:
            journal = open_journal(location)
            if not journal.file("lock").is_file():
                return "it is not there"
            journal.check_writable()
        except OSError as error:
            why = why_full(error)
            return f"{FULL}{why}" if why else str(error)
        compile_once()  # else the first trials of a node wait for it
        return ""

    remote: Any = ray.remote(num_cpus=0)(why_not)
    nodes: Any = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    there = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
    answers = [remote.options(scheduling_strategy=one).remote(location) for one in there]
    for node, answer in zip(nodes, answers, strict=True):
        try:
            reason = ray.get(answer, timeout=_ANSWER_S)
        except GetTimeoutError:
            raise SweepError(
                f"node {node['NodeManagerAddress']} has started no worker for {_ANSWER_S:.0f} s: look whether its "
                "disks are full, or take it out of the cluster"
            ) from None
        if reason.startswith(FULL):
            raise SweepError(f"{reason}, seen from node {node['NodeManagerAddress']}: free some space")
        if reason:
            raise SweepError(
                f"node {node['NodeManagerAddress']} does not see {location} ({reason}): "
                "give --storage a folder that all nodes of the cluster share, or a bucket that they may use"
            )
