"""A sweep under a real Slurm: queued again before its time is up, done in parts, and nothing of it left running."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from tests.console import PROGRAM
from tests.system.namespace import Namespace
from tests.system.serving import wait_for
from tests.system.slurm_cluster import slurm_cluster

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

SWEEP = {
    "task": "digits",
    "architecture": {"name": "own:net", "width": 8},
    "method": {"name": "epr", "lam": [0.03, 0.1, 0.2, 0.3, 0.5]},
    "steps": 3000,
}
OWN = """
from torch import nn

def net(*, input_shape, num_outputs, width):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, num_outputs))
"""


class Site:
    """A folder from which sweeps are submitted, on a disk that the node shares."""

    def __init__(self, folder: Path, network: Namespace, environment: dict[str, str]) -> None:
        self.folder, self.network = folder, network
        self.environment = {**environment, "XDG_STATE_HOME": str(folder / "state")}
        (folder / "own.py").write_text(OWN)

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.network.run(*command, cwd=self.folder, env=self.environment, timeout=600)

    def submit(self, name: str, *more: str, **changes: object) -> str:
        """Submit a sweep; returns its id."""
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump({**SWEEP, **changes}))
        places = ["--storage", str(self.folder / "sweeps"), "--tracking-uri", f"sqlite:///{self.folder}/mlflow.db"]
        done = self.call(
            PROGRAM, "submit", f"{name}.yaml", "--to", "slurm", *places, "--with", "cpus_per_node=2", *more
        )
        assert done.returncode == 0, done.stderr
        found = re.match(r"(?:submitted )?sweep ([^: ]+)", done.stdout)
        assert found is not None, done.stdout
        return found[1]

    def state(self, sweep_id: str) -> str:
        listed = json.loads(self.call(PROGRAM, "jobs", "--json").stdout)
        (state,) = (job["state"] for job in listed if job["sweep_id"] == sweep_id)
        return str(state)

    def journal(self, sweep_id: str) -> Journal:
        return Journal(LocalFolder(self.folder / "sweeps" / sweep_id))

    def num_ended(self, sweep_id: str) -> int:
        return len(list(self.journal(sweep_id).file("trials").glob("*/ended.json")))

    def runs(self, name: str) -> Counter[tuple[str, str]]:
        """The number of runs of each kind and status in MLflow."""
        client = MlflowClient(f"sqlite:///{self.folder}/mlflow.db")
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        return Counter((run.data.tags["ratefront.kind"], run.info.status) for run in runs)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as (network, environment):
        yield Site(tmp_path_factory.mktemp("site"), network, environment)


def test_a_sweep_whose_time_is_up_is_queued_again_and_goes_on(site: Site) -> None:
    sweep_id = site.submit("long")
    assert site.state(sweep_id) in ("waiting", "running")
    assert site.submit("long") == sweep_id
    wait_for(lambda: site.num_ended(sweep_id) > 0)
    (number,) = site.call("squeue", "--noheader", "--format=%i").stdout.split()  # of two submissions
    (token,) = _tokens(site.network)
    commands = _commands(site.network)
    assert any(b"raylet" in command for command in commands)
    assert not any(token in command for command in commands)
    kept = {path: path.read_bytes() for path in site.journal(sweep_id).file("trials").glob("*/ended.json")}
    assert site.call("scancel", "--batch", "--signal=USR1", number).returncode == 0  # as Slurm does 120 s before
    wait_for(lambda: site.state(sweep_id) == "waiting", is_brief=True)
    assert site.runs("long")["sweep", "KILLED"] == 1  # it was given the time to say goodbye

    followed = site.call(PROGRAM, "attach", sweep_id)
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert f"sweep {sweep_id}: 5 of 5 trials finished" in followed.stdout
    assert "5/5" in followed.stdout
    wait_for(lambda: site.state(sweep_id) == "finished")
    assert {path: path.read_bytes() for path in kept} == kept
    assert site.runs("long") == {("sweep", "FINISHED"): 1, ("trial", "FINISHED"): 5}
    assert "Restarts=1" in site.call("scontrol", "show", "job", number).stdout
    wait_for(lambda: not _rays(site.network))


def test_an_array_does_its_parts_without_ray_and_is_logged_at_the_end(site: Site) -> None:
    sweep_id = site.submit("parts", "--with", "array=2", "--with", "cpus_per_node=1", steps=100)
    wait_for(lambda: site.state(sweep_id) == "finished")
    said = site.call(PROGRAM, "logs", sweep_id).stdout
    assert "part 0 of 2" in said
    assert "part 1 of 2" in said
    assert f"{sweep_id}: 5 finished trials are in MLflow" in said
    assert site.runs("parts") == {("sweep", "FINISHED"): 1, ("trial", "FINISHED"): 5}


def test_cancelling_ends_it_and_leaves_nothing_running(site: Site) -> None:
    folders = set(Path("/tmp").glob("rf-*"))
    sweep_id = site.submit("cut", steps=30_000)
    wait_for(lambda: _rays(site.network))
    assert site.call(PROGRAM, "cancel", sweep_id).returncode == 0
    wait_for(lambda: site.state(sweep_id) == "cancelled")
    wait_for(lambda: not _rays(site.network))
    wait_for(lambda: set(Path("/tmp").glob("rf-*")) <= folders)


def _commands(network: Namespace) -> list[bytes]:
    """The command lines of all processes that run there."""
    found = []
    for pid in network.pids():
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    return found


def _rays(network: Namespace) -> list[bytes]:
    """The command lines of Ray's processes that run there."""
    names = (b"raylet", b"gcs_server", b"ray::")
    return [command for command in _commands(network) if any(name in command for name in names)]


def _tokens(network: Namespace) -> set[bytes]:
    """The tokens of Ray that processes there have in their environment."""
    variables: list[bytes] = []
    for pid in network.pids():
        with contextlib.suppress(OSError):
            variables += Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {one.partition(b"=")[2] for one in variables if one.startswith(b"RAY_AUTH_TOKEN=")}
