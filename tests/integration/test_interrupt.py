"""Ctrl-C keeps what is finished, and --resume goes on to the same result."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from tests.console import PROGRAM, call, clean_environment

SWEEP = {
    "name": "stopped",
    "task": "digits",
    "architecture": {"name": "mlp", "hidden": [8]},
    "method": {"name": "epr", "lam": [0.03, 0.1, 0.3, 1.0]},
    "steps": 400,
    "resources": {"cpu": 1},
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_sigterm_keeps_finished_trials_and_resume_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "stopped.yaml").write_text(yaml.safe_dump(SWEEP))
    process = subprocess.Popen(
        [PROGRAM, "sweep", "stopped.yaml"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    finished = _wait_for_a_finished_trial(tmp_path, process)
    os.killpg(process.pid, number)  # to the whole group, as a terminal or ``timeout`` does
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "--resume goes on" in output
    assert "Traceback" not in output + errors
    assert errors == ""
    assert _states(tmp_path) == {"FINISHED", "KILLED"}
    kept = {path: path.read_bytes() for path in finished}

    resumed = call(tmp_path, "sweep", "stopped.yaml", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "4 of 4 trials finished" in resumed.stdout
    assert _states(tmp_path) == {"FINISHED"}
    assert {path: path.read_bytes() for path in finished} == kept
    (directory,) = (tmp_path / "sweeps").iterdir()
    assert len(list(Journal(LocalFolder(directory)).trial_ids())) == 4


def _wait_for_a_finished_trial(folder: Path, process: subprocess.Popen[str]) -> list[Path]:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        if ended := list(folder.glob("sweeps/*/trials/*/ended.json")):
            return ended
        time.sleep(0.05)
    raise AssertionError(f"no trial finished: {process.communicate(timeout=10)}")


def _states(folder: Path) -> set[str]:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = (item for item in client.search_experiments() if item.name == "stopped")
    return {run.info.status for run in client.search_runs([experiment.experiment_id])}
