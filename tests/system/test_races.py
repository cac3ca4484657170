"""Sweeps that start together: nobody fails, and the store is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

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
