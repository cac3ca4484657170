"""Sweeps that could not run, or would lose their results, are refused; Ray's answers are the test's."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import GetTimeoutError

from orchestrator.errors import SweepError
from orchestrator.planning.study import plan
from orchestrator.ray_tune import nodes
from orchestrator.ray_tune.nodes import check_nodes, num_cpus
from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import open_journal
from orchestrator.sweep.definition import Sweep


def sweep(**resources: Any) -> Sweep:
    return Sweep.from_dict(
        {"task": "digits", "architecture": "mlp", "method": ["ptq", "uncompressed"], "resources": resources}
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A sweep's, which this process holds."""
    (tmp_path / "lock").touch()
    return open_journal(str(tmp_path))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 4.0, "GPU": 1.0, "memory": 8e9, "node:x": 1.0})


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"cpu": 5}, "resources.cpu is 5 and this machine has 4: give trials less"),
        ({"cpu": 3, "data_workers": 2}, r"resources.cpu \+ resources.data_workers is 5 and this machine has 4: give"),
        ({"memory": "9 GB"}, r"resources.memory is 9\.00 GB and this machine has 8\.00 GB: give trials less"),
        ({"where": [{"method": "ptq", "cpu": 8}]}, "resources.cpu is 8 and this machine has 4: give trials less"),
    ],
)
def test_a_trial_that_would_wait_for_ever_is_refused(resources: dict[str, Any], message: str, journal: Journal) -> None:
    given = sweep(**resources)
    with pytest.raises(SweepError, match=message):
        check_nodes(given, plan(given), journal, is_local=True)


@pytest.fixture
def readied(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows each time a coder is compiled, unless it is."""
    times: list[None] = []
    monkeypatch.setattr(nodes, "compile_once", lambda: times.append(None))
    return times


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("resources", [{}, {"cpu": 4, "gpu": 0.5, "memory": "8 GB"}])
def test_what_fits_may_run(resources: dict[str, Any], journal: Journal, readied: list[None]) -> None:
    given = sweep(**resources)
    check_nodes(given, plan(given), journal, is_local=True)
    assert len(readied) == 1


class Remote:
    """A function that runs here, in the place of a node."""

    def __init__(self, function: Callable[[str], str], seen: dict[str, str]) -> None:
        self._function, self._seen, self._node = function, seen, ""

    def options(self, *, scheduling_strategy: Any) -> Remote:
        self._node = scheduling_strategy.node_id
        return self

    def remote(self, location: str) -> str:
        return self._function(self._seen.get(self._node, location))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Two nodes and a dead one; in it, where a node looks instead of at the sweep's folder."""
    instead: dict[str, str] = {}
    there = [
        {"NodeID": f"{number:056x}", "NodeManagerAddress": f"10.0.0.{number}", "Alive": number < 3}
        for number in (1, 2, 3)
    ]
    monkeypatch.setattr("ray.nodes", lambda: there)
    monkeypatch.setattr("ray.remote", lambda **_: lambda function: Remote(function, instead))
    monkeypatch.setattr("ray.get", lambda answer, timeout: answer)
    return instead


def test_a_cluster_whose_nodes_see_the_folder_may_run_it(
    cluster: dict[str, str], journal: Journal, readied: list[None]
) -> None:
    cluster[f"{3:056x}"] = "/nowhere"  # it is dead
    check_nodes(sweep(cpu=512), [], journal, is_local=False)
    assert len(readied) == 2, "each node has its coder before its first trial"
    assert sorted(path.name for path in Path(journal.location).iterdir()) == ["lock"], "the probe is gone"


def test_a_node_that_does_not_see_the_folder_is_named(
    cluster: dict[str, str], journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "local").mkdir()
    cluster[f"{2:056x}"] = str(tmp_path / "local")
    with pytest.raises(
        SweepError, match=r"node 10\.0\.0\.2 does not see .* \(it is not there\): give --storage a folder"
    ):
        check_nodes(sweep(), [], journal, is_local=False)


def test_a_node_that_may_only_read_is_named(
    cluster: dict[str, str], journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(journal: Journal) -> None:
        raise PermissionError(13, "Permission denied", f"{journal.location}/.probe")

    monkeypatch.setattr(Journal, "check_writable", refuse)
    with pytest.raises(SweepError, match=r"node 10\.0\.0\.1 does not see .*Permission denied"):
        check_nodes(sweep(), [], journal, is_local=False)


def test_a_full_disk_is_no_folder_that_a_node_does_not_see(
    cluster: dict[str, str], journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(journal: Journal) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", f"{journal.location}/.probe")

    monkeypatch.setattr(Journal, "check_writable", full)
    with pytest.raises(
        SweepError, match=r"^disk full: no space left on device: .*/\.probe, seen from node 10\.0\.0\.1: "
    ):
        check_nodes(sweep(), [], journal, is_local=False)


def test_a_node_that_starts_no_worker_is_not_waited_for_for_ever(
    cluster: dict[str, str], journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(answer: object, timeout: float) -> None:
        raise GetTimeoutError

    monkeypatch.setattr("ray.get", wait)
    with pytest.raises(SweepError, match=r"^node 10\.0\.0\.1 has started no worker for 300 s: look whether its disks"):
        check_nodes(sweep(), [], journal, is_local=False)


def test_cores_are_counted_as_ray_counts_them() -> None:
    assert 1 <= num_cpus() <= (os.cpu_count() or 1)
