"""Workers, the tracking server, the driver and replies are lost at random: in the end all is there, once, the same."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal, Outcome
from tests.console import PROGRAM, call, clean_environment
from tests.processes import below
from tests.system.lossy import lossy
from tests.system.serving import free_port, kill, server
from trainers.compressed import load_compressed

pytestmark = [pytest.mark.system, pytest.mark.timeout(2400)]

NUM_TRIALS = 16
SWEEP = f"""
name: chaos
task: digits
architecture: {{name: mlp, hidden: [16]}}
method: {{name: epr, lam: {{loguniform: [0.1, 3.0]}}}}
steps: 500
seeds: 2
search: {{name: sobol, num_trials: {NUM_TRIALS // 2}}}
"""
PER_KILL = 25
"""How many reports trainings write between two kills: a kill every so many seconds would stop a slow machine."""


class Monkey:
    """Kills a driver's workers: one as soon as there is one, then one each time that trainings have got on."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._dice = folder, random.Random(0)
        self.num_killed = 0

    def rage(self, driver: subprocess.Popen[str], until: Callable[[], bool]) -> None:
        """Kill workers while the driver runs, until ``until`` is true."""
        deadline = time.monotonic() + 1200
        kill_at = 0
        while driver.poll() is None and not until():
            assert time.monotonic() < deadline, "the sweep hangs"
            workers, reports = workers_below(driver.pid), num_reports(self._folder)
            if workers and reports >= kill_at:
                kill_at = reports + PER_KILL
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._dice.choice(workers), signal.SIGKILL)
                    self.num_killed += 1
            time.sleep(0.5)


def workers_below(pid: int) -> list[int]:
    """The pids of Ray's workers (trials, tracking, data, idle ones); not its agents, with which the whole node dies."""
    found = []
    for one in below(pid):
        with contextlib.suppress(OSError):
            title = Path(f"/proc/{one}/cmdline").read_bytes().rstrip(b"\0 ")
            if title.startswith(b"ray::") and not title.endswith(b"Agent"):
                found.append(one)
    return found


@contextlib.contextmanager
def driver(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a sweep's driver; if it still runs at the end, it is killed."""
    process = subprocess.Popen(
        [PROGRAM, "sweep", "chaos.yaml", *arguments],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:  # what a driver started dies with it
            for pid in (*below(process.pid), process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=600)


def num_reports(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("sweeps/*/trials/*/progress.jsonl"))


def num_ended(folder: Path) -> int:
    return len(list(folder.glob("sweeps/*/trials/*/ended.json")))


def results(folder: Path) -> set[tuple[str, int, str, str]]:
    (directory,) = (folder / "sweeps").iterdir()
    journal = Journal(LocalFolder(directory))
    ended = [journal.ended(trial_id) for trial_id in journal.trial_ids()]
    assert [one.outcome for one in ended] == [Outcome.FINISHED] * NUM_TRIALS
    points = [point for one in ended for point in one.points]
    for point in points:
        load_compressed(directory / point.path)
    return {(point.config_hash, point.seed, point.point_id, point.sha256) for point in points}


def test_nothing_is_lost_whatever_is_killed(tmp_path: Path, empty_store: bytes) -> None:
    folders = {name: tmp_path / name for name in ("quiet", "chaotic")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "chaos.yaml").write_text(SWEEP)
        (folder / "mlflow.db").write_bytes(empty_store)
    quiet = call(folders["quiet"], "sweep", "chaos.yaml")
    assert quiet.returncode == 0, quiet.stderr

    folder, port, monkey = folders["chaotic"], free_port(), Monkey(folders["chaotic"])
    with lossy(port) as proxy:
        runs = _chaos(folder, port, monkey, ("--tracking-uri", f"http://127.0.0.1:{proxy.port}"))
    assert monkey.num_killed >= 7
    assert proxy.num_lost >= NUM_TRIALS
    kinds = Counter((run.data.tags["ratefront.kind"], run.info.status) for run in runs)
    assert kinds == {("trial", "FINISHED"): NUM_TRIALS, ("sweep", "FINISHED"): 1}
    assert len({run.data.tags.get("ratefront.trial_id") for run in runs}) == NUM_TRIALS + 1
    assert all("size_bytes" in run.data.metrics for run in runs if run.data.tags["ratefront.kind"] == "trial")
    assert results(folder) == results(folders["quiet"])


def test_a_worker_that_is_killed_while_ray_starts_is_not_waited_for(tmp_path: Path) -> None:
    """Ray itself would wait for its first workers for ever."""
    program = "from orchestrator.ray_tune.runtime import joined\nwith joined(None): pass"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=clean_environment())
    deadline = time.monotonic() + 300
    while process.poll() is None and not (workers := workers_below(process.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert process.wait(timeout=300) == 0


def _chaos(folder: Path, port: int, monkey: Monkey, uri: tuple[str, str]) -> list[Any]:
    """Run the sweep to its end, whatever is killed; returns all runs that MLflow has."""
    with server(folder, port) as serving, driver(folder, *uri) as first:
        monkey.rage(first, lambda: num_ended(folder) >= 3)
        kill(serving)
        monkey.rage(first, lambda: num_ended(folder) >= 6)
        assert first.poll() is None, first.communicate()
        os.kill(first.pid, signal.SIGKILL)
        first.wait(timeout=600)
    assert num_ended(folder) < NUM_TRIALS
    with server(folder, port):
        with driver(folder, *uri, "--resume") as second:
            monkey.rage(second, lambda: num_ended(folder) >= 10)
            assert second.poll() is None, second.communicate()
            os.kill(second.pid, signal.SIGKILL)
        assert num_ended(folder) < NUM_TRIALS
        with driver(folder, *uri, "--resume") as third:
            monkey.rage(third, lambda: False)
            said, _ = third.communicate(timeout=600)
        if third.returncode:  # a trial whose worker was killed three times has failed, and is tried again
            said = call(folder, "sweep", "chaos.yaml", *uri, "--resume").stdout
        assert f"{NUM_TRIALS} of {NUM_TRIALS} trials finished" in said
        client = MlflowClient(f"http://127.0.0.1:{port}")
        (experiment,) = (one for one in client.search_experiments() if one.name == "chaos")
        return list(client.search_runs([experiment.experiment_id], max_results=1000))
