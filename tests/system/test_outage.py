"""The tracking server dies in the middle of a sweep: trials go on, and what it missed arrives later, once."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.console import PROGRAM, call, clean_environment
from tests.system.serving import free_port, kill, server, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

NUM_TRIALS = 12
SWEEP = f"""
name: outage
task: digits
architecture: {{name: mlp, hidden: [16]}}
method: {{name: epr, lam: {{loguniform: [0.1, 3.0]}}}}
steps: 1500
search: {{name: sobol, num_trials: {NUM_TRIALS}}}
"""


def test_what_a_server_missed_arrives_later_and_once(workplace: Path) -> None:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    (workplace / "outage.yaml").write_text(SWEEP)
    with server(workplace, port) as serving:
        sweep = subprocess.Popen(
            [PROGRAM, "sweep", "outage.yaml", "--tracking-uri", uri],
            cwd=workplace,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wait_for(lambda: len(list(workplace.glob("sweeps/*/trials/*/ended.json"))) >= 3)
        kill(serving)
        said, _ = sweep.communicate(timeout=600)
    (folder,) = (workplace / "sweeps").iterdir()
    assert len(list(folder.glob("trials/*/ended.json"))) == NUM_TRIALS, said
    assert sweep.returncode == 1, said
    assert f"no MLflow server answers at {uri}" in said
    assert f"'ratefront sync {folder.name}' logs it later" in said
    assert "Traceback" not in said

    with server(workplace, port):
        for _ in range(2):  # the second time there is nothing to do
            synced = call(workplace, "sync", folder.name, "--tracking-uri", uri)
            assert synced.returncode == 0, synced.stderr
            assert f"{folder.name}: {NUM_TRIALS} finished trials are in MLflow" in synced.stdout
            client = MlflowClient(uri)
            (experiment,) = (one for one in client.search_experiments() if one.name == "outage")
            runs = client.search_runs([experiment.experiment_id])
            assert Counter((run.data.tags["ratefront.kind"], run.info.status) for run in runs) == {
                ("trial", "FINISHED"): NUM_TRIALS,
                ("sweep", "FINISHED"): 1,
            }
            assert sum("size_bytes" in run.data.metrics for run in runs) == NUM_TRIALS
            assert any(run.data.tags.get("ratefront.pareto") == "true" for run in runs)
        assert (folder / "frontier" / "frontier.png").is_file()
