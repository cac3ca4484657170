"""A sweep on a real Ray cluster of several nodes: submitted with its code, watched, and not stopped by lost nodes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from tests import bucket
from tests.console import PROGRAM, call
from tests.system.ray_cluster import ADDRESS, Cluster, ray_cluster
from tests.system.serving import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

SWEEP = {
    "task": "digits",
    "architecture": {"name": "own:net", "width": 16},
    "method": {"name": "epr", "lam": [0.03, 0.1]},
    "steps": 6_000,
}

OWN = """
import time
from pathlib import Path
from torch import nn

class Paced(nn.Sequential):
    steps = 0

    def forward(self, x):
        if self.training:
            Paced.steps += 1
            while Path("PACE").exists():
                time.sleep(0.02)
                if Paced.steps < 3_000:
                    break
        return super().forward(x)

def net(*, input_shape, num_outputs, width):
    return Paced(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, num_outputs))
"""
"""A network whose training waits on a cluster, step by step and then in the middle: time to lose its node in."""

Digests = dict[str, list[str]]
"""The digests of a trial's files, keyed by trial id."""
PORT = 9000
"""The port of the bucket."""


class Site:
    """The place that sweeps are submitted from, with a folder that all nodes see."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.storage, self.tracking_uri = folder / "shared", f"sqlite:///{folder}/mlflow.db"
        self._pace = folder / "pace"
        (folder / "own.py").write_text(OWN.replace("PACE", str(self._pace)))

    def set_pace(self, *, slow: bool) -> None:
        """Whether a step of training waits, so that there is time to lose its node in."""
        self._pace.touch() if slow else self._pace.unlink(missing_ok=True)

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environment = environment or self.cluster.environment
        return self.cluster.network.run(PROGRAM, *arguments, cwd=self.folder, env=environment, timeout=600)

    def submit(self, name: str, storage: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        places = ["--storage", storage or str(self.storage), "--tracking-uri", self.tracking_uri]
        return self.call("submit", f"{name}.yaml", "--to", "ray", *places, **environment)

    def python(self, script: str, *arguments: str) -> str:
        """Run ``script`` with the modules of tests; returns what it prints."""
        environment = {**self.cluster.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", script, *arguments]
        done = self.cluster.network.run(*command, cwd=self.folder, env=environment, timeout=600)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def write(self, name: str, **changes: Any) -> None:
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump({**SWEEP, **changes}))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory(prefix="rc-") as folder,
        ray_cluster(Path(folder), bucket.environment(PORT)) as cluster,
    ):
        yield Site(cluster, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def quiet(site: Site) -> Digests:
    """The digests of the same sweep on one machine, where nothing is lost."""
    site.write("quiet")
    site.set_pace(slow=False)
    places = ("--storage", str(site.folder / "alone"), "--tracking-uri", f"sqlite:///{site.folder}/alone.db")
    ran = call(site.folder, "sweep", "quiet.yaml", *places, timeout_s=600)
    assert ran.returncode == 0, ran.stderr
    (folder,) = (site.folder / "alone").iterdir()
    return _digests(Journal(LocalFolder(folder)))


def id_of(said: str) -> str:
    found = re.match(r"(?:submitted )?sweep ([^: ]+)", said)
    assert found is not None, said
    return found[1]


def test_without_the_token_nobody_gets_in(site: Site) -> None:
    site.write("none")
    refused = site.submit("none", **site.cluster.anonymous)
    assert refused.returncode == 2
    assert "wants a token and none was given: set RAY_AUTH_MODE=token" in refused.stderr
    wrong = {**site.cluster.anonymous, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    assert "it does not take this one" in site.submit("none", **wrong).stderr


def test_trials_of_lost_nodes_go_on_elsewhere_from_their_checkpoints(site: Site, quiet: Digests) -> None:
    site.write("lost")
    site.set_pace(slow=True)
    first, second = site.cluster.add(), site.cluster.add()
    submitted = site.submit("lost")
    assert submitted.returncode == 0, submitted.stderr
    assert submitted.stderr == ""
    sweep_id = id_of(submitted.stdout)
    assert "is there already" in site.submit("lost").stdout
    journal = Journal(LocalFolder(site.storage / sweep_id))
    wait_for(lambda: first.is_training and second.is_training)
    counted = {"running": 2.0, "waiting": 0.0, "finished": 0.0, "failed": 0.0, "stopped": 0.0}
    wait_for(lambda: _metrics(site, sweep_id) == counted)
    wait_for(lambda: len(list(journal.file("trials").glob("*/checkpoint.pt"))) == 2)

    for _ in range(2):  # free, while the other two train
        site.cluster.add()
    killed_s = _until_it_goes_on(journal, first.kill)
    assert second.is_training
    hung_s = _until_it_goes_on(journal, second.hang)
    print(f"trials went on {killed_s:.1f} s after a node was killed, {hung_s:.1f} s after one hung")

    second.kill()
    site.set_pace(slow=False)

    followed = site.call("attach", sweep_id)
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert f"sweep {sweep_id}: 2 of 2 trials finished" in followed.stdout
    (listed,) = (job for job in json.loads(site.call("jobs", "--json").stdout) if job["sweep_id"] == sweep_id)
    assert (listed["state"], listed["target"]) == ("finished", "ray")
    ours = json.loads((journal.trial_directory("0000-epr-s0") / "trial.json").read_text())["environment"]
    assert "+g" in ours["version.ratefront"]  # the wheel's, not the one that is installed

    assert _digests(journal) == quiet


def test_a_bucket_is_as_good_as_a_shared_folder(site: Site, quiet: Digests) -> None:
    serve = [sys.executable, "-m", "tests.bucket", str(PORT)]
    environment = {**site.cluster.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    site.cluster.network.start(*serve, log=site.folder / "bucket.log", env=environment, cwd=site.folder)
    connect = f"import socket; socket.create_connection(('127.0.0.1', {PORT})).close()"
    wait_for(lambda: site.cluster.network.run(sys.executable, "-c", connect).returncode == 0)
    site.write("kept")
    site.set_pace(slow=True)
    for _ in range(2):  # earlier tests left other nodes, or none
        site.cluster.add()
    submitted = site.submit("kept", f"s3://{bucket.NAME}/sweeps")
    assert submitted.returncode == 0, submitted.stderr
    sweep_id = id_of(submitted.stdout)

    def in_bucket() -> dict[str, Any]:
        return dict(json.loads(site.python(_IN_BUCKET, f"s3://{bucket.NAME}/sweeps/{sweep_id}")))

    wait_for(lambda: len(in_bucket()["checkpoints"]) == 2)
    site.cluster.add()
    next(node for node in site.cluster.added if node.is_training).kill()
    site.set_pace(slow=False)
    followed = site.call("attach", sweep_id)
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert f"sweep {sweep_id}: 2 of 2 trials finished" in followed.stdout
    assert f"figures: s3://{bucket.NAME}/sweeps/{sweep_id}/frontier/frontier.png" in followed.stdout
    left = in_bucket()
    assert left["checkpoints"] == []
    assert not (site.folder / "sweeps").exists()
    assert left["digests"] == quiet


_IN_BUCKET = """
import json, sys
from orchestrator.storage.bucket import Bucket
from orchestrator.storage.locations import open_journal

journal = open_journal(sys.argv[1])
journal.fetch_all()
ended = {trial_id: journal.ended(trial_id) for trial_id in journal.trial_ids()}
print(json.dumps({
    "checkpoints": [name for name in Bucket(journal.location).files() if name.endswith("/checkpoint.pt")],
    "digests": {one: [point.sha256 for point in record.points] for one, record in ended.items() if record},
}))
"""


def _metrics(site: Site, sweep_id: str) -> dict[str, float]:
    """The number of trials in each state, as Prometheus would read it from the head."""
    listed = json.loads((site.cluster.folder / "1" / "prom_metrics_service_discovery.json").read_text())
    fetch = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    found: dict[str, float] = {}
    for target in listed[0]["targets"]:
        said = site.cluster.network.run(sys.executable, "-c", fetch, f"http://{target}/metrics").stdout
        for line in said.splitlines():
            if line.startswith("ray_ratefront_trials{") and f'sweep_id="{sweep_id}"' in line:
                state = re.search(r'state="(\w+)"', line)
                assert state is not None, line
                found[state[1]] = float(line.split()[-1])
    return found


_HALVES = """
import json, os, time, ray
from ray import tune
from orchestrator.sweep.resources import TrialResources

def train(config):
    began_s = time.time()
    time.sleep(5)
    tune.report({"gpu": os.environ["CUDA_VISIBLE_DEVICES"], "began_s": began_s, "ended_s": time.time()})

ray.init(address="ADDRESS", log_to_driver=False)
resources = tune.PlacementGroupFactory([TrialResources(cpu=1, gpu=0.5).for_ray()])
run = tune.RunConfig(storage_path="STORAGE", verbose=0)
trainable, config = tune.with_resources(train, resources), tune.TuneConfig(num_samples=4)
tuned = tune.Tuner(trainable, tune_config=config, run_config=run).fit()
print(json.dumps([{key: one.metrics[key] for key in ("gpu", "began_s", "ended_s")} for one in tuned]))
"""


def test_four_trials_of_half_a_gpu_share_two(site: Site) -> None:
    site.cluster.add(num_cpus=4, num_gpus=2)
    script = _HALVES.replace("ADDRESS", ADDRESS).replace("STORAGE", str(site.folder / "halves"))
    trials = json.loads(site.python(script).splitlines()[-1])
    assert sorted(trial["gpu"] for trial in trials) == ["0", "0", "1", "1"]
    assert max(trial["began_s"] for trial in trials) < min(trial["ended_s"] for trial in trials)


def _until_it_goes_on(journal: Journal, lose: Callable[[], None]) -> float:
    """Lose a node whose trial has a checkpoint; returns the seconds until that trial reported again.

    The trial must go on from where it was: the first step that it reports is not that of a beginning.
    """
    before = _reported(journal)
    grown_s = dict.fromkeys(before, time.monotonic())
    seen = dict(before)
    lose()
    deadline = time.monotonic() + 600  # the limit is for hangs, on a busy machine
    while time.monotonic() < deadline:
        time.sleep(0.05)
        now = _reported(journal)
        for trial_id, steps in now.items():
            if trial_id not in before or len(steps) == len(seen[trial_id]):
                continue
            gap_s = time.monotonic() - grown_s[trial_id]
            if gap_s > 2:  # a report takes a tenth of a second
                assert steps[len(seen[trial_id])] > 2 * steps[0]
                return gap_s
            grown_s[trial_id], seen[trial_id] = time.monotonic(), steps
    raise AssertionError(f"no trial stopped and went on: {_reported(journal)}")


def _reported(journal: Journal) -> dict[str, list[int]]:
    """The steps that each trial with a checkpoint has reported, in the order of its reports."""
    found = {}
    for path in journal.file("trials").glob("*/checkpoint.pt"):
        text = (path.parent / "progress.jsonl").read_text()
        whole = text[: text.rfind("\n") + 1].splitlines()
        found[path.parent.name] = [json.loads(line)["step"] for line in whole if line]
    return found


def _digests(journal: Journal) -> Digests:
    records = {trial_id: journal.ended(trial_id) for trial_id in journal.trial_ids()}
    return {key: [point.sha256 for point in record.points] for key, record in records.items() if record}
