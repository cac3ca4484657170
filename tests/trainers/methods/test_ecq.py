"""Entropy-coded quantisation: a curve from one training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainers.trials import attach, configuration, run
from trainers.coding.sections import Integers


def test_one_training_gives_a_smaller_file_for_each_coarser_step(tmp_path: Path) -> None:
    method = {"name": "ecq", "steps": [0.05, 0.4, 2.0]}
    files, reports = run(configuration("ecq", "cnn", method=method), tmp_path)
    assert list(files) == ["step0.05", "step0.4", "step2"]
    assert len(files["step0.05"]) > len(files["step0.4"]) > len(files["step2"])
    assert len(reports) == 6


def test_integers_are_not_bounded() -> None:
    trial = attach(configuration("ecq", method={"name": "ecq", "steps": [1e-3]}))
    ((_, sections),) = trial.method.points(trial.model, trial.context)
    weights = sections.tensors["1.weight"]
    assert isinstance(weights, Integers)
    assert np.abs(weights.values).max() > 1000


@pytest.mark.parametrize("steps", [[], [0.5, 0.5], [-1.0], 0.5])
def test_the_grid_is_checked_when_the_method_is_made(steps: object) -> None:
    with pytest.raises(ValueError, match="steps"):
        attach(configuration("ecq", method={"name": "ecq", "steps": steps}))
