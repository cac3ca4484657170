"""Sweeps that start together: nobody fails, and the store is whole."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.console import PROGRAM, clean_environment
from tests.system.racing import prepared_by_all

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


def test_sweeps_of_one_name_that_start_together_all_go_on(tmp_path: Path) -> None:
    """On a database that is there, for thirty names; and in eight folders where nothing is yet."""
    there = f"sqlite:///{tmp_path}/mlflow.db"
    fresh = [(f"sqlite:///{tmp_path}/fresh{index}/mlflow.db", "same") for index in range(8)]
    rounds = [(there, "first"), *((there, f"name{index}") for index in range(30)), *fresh]
    assert prepared_by_all(rounds) == []
    for uri, name in rounds:
        assert MlflowClient(uri).get_experiment_by_name(name) is not None


def test_two_drivers_that_start_half_a_second_apart_in_a_fresh_folder_both_finish(tmp_path: Path) -> None:
    settings = ["--task", "digits", "--architecture", "mlp", "--method", "uncompressed", "--set", "steps=20"]
    command = [PROGRAM, "sweep", *settings, "--no-baselines"]
    drivers = []
    for name in ("first", "second"):
        drivers.append(
            subprocess.Popen(
                [*command, "--name", name],
                cwd=tmp_path,
                env=clean_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        time.sleep(0.5)
    for driver in drivers:
        said, _ = driver.communicate(timeout=600)
        assert driver.returncode == 0, said
        assert "Traceback" not in said
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    for name in ("first", "second"):
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        assert {run.info.status for run in client.search_runs([experiment.experiment_id])} == {"FINISHED"}
