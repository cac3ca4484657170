"""Ctrl-C keeps what is finished, and --resume goes on to the same result."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import yaml
from mlflow import MlflowClient

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from tests.console import PROGRAM, call, clean_environment

SWEEP = {
    "name": "stopped",
    "task": "digits",
    "architecture": {"name": "mlp", "hidden": [8]},
    "method": {"name": "epr", "lam": [0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0]},
    "steps": 400,
    "resources": {"cpu": 1},
}
NUM_TRIALS = 8


def test_ctrl_c_or_sigterm_keeps_finished_trials_and_resume_goes_on(workplace: Path) -> None:
    (workplace / "stopped.yaml").write_text(yaml.safe_dump(SWEEP))
    kept: dict[Path, bytes] = {}
    for number, options in ((signal.SIGINT, ()), (signal.SIGTERM, ("--resume",))):
        kept |= _interrupted(workplace, number, *options)
        assert _states(workplace) == {"FINISHED", "KILLED"}
        assert {path: path.read_bytes() for path in kept} == kept

    resumed = call(workplace, "sweep", "stopped.yaml", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert f"{NUM_TRIALS} of {NUM_TRIALS} trials finished" in resumed.stdout
    assert _states(workplace) == {"FINISHED"}
    assert {path: path.read_bytes() for path in kept} == kept
    (directory,) = (workplace / "sweeps").iterdir()
    assert len(list(Journal(LocalFolder(directory)).trial_ids())) == NUM_TRIALS


def _interrupted(folder: Path, number: signal.Signals, *options: str) -> dict[Path, bytes]:
    """Run the sweep until one more trial has finished, and send it a signal; the records of finished trials by then."""
    num_before = len(_finished(folder))
    process = subprocess.Popen(
        [PROGRAM, "sweep", "stopped.yaml", *options],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    finished = _wait_for_a_finished_trial(folder, process, num_before)
    os.killpg(process.pid, number)  # to the whole group, as a terminal or ``timeout`` does
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "--resume goes on" in output
    assert "Traceback" not in output + errors
    assert errors == ""
    return {path: path.read_bytes() for path in finished}


def _wait_for_a_finished_trial(folder: Path, process: subprocess.Popen[str], num_before: int) -> list[Path]:
    """The records of finished trials, as soon as there are more of them."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        if len(finished := _finished(folder)) > num_before:
            return finished
        time.sleep(0.05)
    raise AssertionError(f"no trial finished: {process.communicate(timeout=10)}")


def _finished(folder: Path) -> list[Path]:
    return list(folder.glob("sweeps/*/trials/*/ended.json"))


def _states(folder: Path) -> set[str]:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = (item for item in client.search_experiments() if item.name == "stopped")
    return {run.info.status for run in client.search_runs([experiment.experiment_id])}
